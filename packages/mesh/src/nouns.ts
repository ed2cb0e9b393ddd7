export * from "./connections/connection.ts";
export * from "./impressions/impression.ts";
export type { InboxMessage, SentMessage, SentStatus } from "./messages/message.ts";
export * from "./settings.ts";
export type { Response, Update } from "./webhooks/webhook.ts";
