import type { Migration } from "@darkmatter/store";
import { a2aMigrations } from "./a2a/tokens.store.ts";
import { antimatterMigrations } from "./antimatter/antimatter.store.ts";
import { announcementMigrations } from "./connections/announcements.store.ts";
import { connectionMigrations } from "./connections/connections.store.ts";
import { peerUpdateMigrations } from "./connections/peer-updates.store.ts";
import { conversationMigrations } from "./conversation/conversation.store.ts";
import { delegationMigrations } from "./delegation/delegations.store.ts";
import { identityMigrations } from "./identity/identity.store.ts";
import { impressionMigrations } from "./impressions/impressions.store.ts";
import { messageMigrations } from "./messages/messages.store.ts";
import { noteMigrations } from "./messages/notes.store.ts";
import { outboxMigrations } from "./messages/outbox.store.ts";
import { noticeMigrations } from "./payments/notices.store.ts";
import { paymentMigrations } from "./payments/payments.store.ts";
import { poolMigrations } from "./pools/pools.store.ts";
import { receiptMigrations } from "./receipts/receipts.store.ts";
import { routerMigrations } from "./router/router.store.ts";
import { shardMigrations } from "./shards/shards.store.ts";
import { wakingMigrations } from "./waking/waking.store.ts";
import { webhookMigrations } from "./webhooks/webhooks.store.ts";

/** Every step of the mesh's tables, in the order they are applied. */
export const meshMigrations: readonly Migration[] = [
  ...identityMigrations,
  ...connectionMigrations,
  ...impressionMigrations,
  ...messageMigrations,
  ...webhookMigrations,
  ...conversationMigrations,
  ...receiptMigrations,
  ...peerUpdateMigrations,
  ...outboxMigrations,
  ...noteMigrations,
  ...announcementMigrations,
  ...paymentMigrations,
  ...noticeMigrations,
  ...antimatterMigrations,
  ...a2aMigrations,
  ...routerMigrations,
  ...wakingMigrations,
  ...shardMigrations,
  ...poolMigrations,
  ...delegationMigrations,
];
