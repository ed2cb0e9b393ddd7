export { makeConversation } from "./testing/conversation.ts";
