export { callHandler, type HandlerCall } from "./testing/call-handler.ts";
