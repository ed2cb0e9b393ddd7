export { createMulticast } from "./adapters/dgram-multicast.ts";
export { createWebRtc } from "./adapters/node-datachannel.ts";
export { createPortMapper, type PortMapperOptions } from "./adapters/port-mapper.ts";
export { firstFreePort, isPortFree, lanAddresses, lanNetworks } from "./adapters/ports.ts";
export { createUndiciWire, type Lookup, type UndiciWireOptions } from "./adapters/undici-wire.ts";
export {
  type AddressClass,
  addressClass,
  bareHost,
  classOfLiteral,
  isAddressLiteral,
  isInNetworks,
  isLoopbackHost,
  isPrivateHost,
  subscriberOf,
} from "./addresses.ts";
export { netError } from "./errors.ts";
export { admitUrl, mayReach, reachableAddresses } from "./guard.ts";
export * from "./multicast.ts";
export * from "./port-mapping.ts";
export {
  baseUrl,
  isLocalUrl,
  isLoopbackUrl,
  parseUrl,
  URL_CODE_POINTS_MAX,
  type UrlSecurity,
  urlSecurity,
  validateUrl,
} from "./urls.ts";
export * from "./web-rtc.ts";
export * from "./wire.ts";
