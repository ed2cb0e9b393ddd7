/**
 * What a peer may ask over a channel: what agents ask each other over HTTP, and nothing that is for this machine's own
 * programs or for browsers.
 */
const ALLOWED =
  /^\/(\.well-known\/darkmatter\.json|__darkmatter__\/(message|status|peer_update|shard_push|(antimatter|gas)_(match|signal|result)|connection_request|connection_proof|connection_accepted|checkpoint|evidence|webrtc_offer|sdp_relay|sdp_relay_deliver|pool_buy|pool_proxy|(webhook|impression|peer_lookup|pool_info)\/[A-Za-z0-9_-]{1,128}))$/;

export const isAllowedPath = (path: string): boolean => ALLOWED.test(path);
