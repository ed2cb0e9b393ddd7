export { makeBundle, makeConversation } from "./testing/conversation.ts";
export { remembering, testKey, verifyInline } from "./testing/keys.ts";
export { type Mutation, type Mutations, mutationsOf } from "./testing/mutations.ts";
