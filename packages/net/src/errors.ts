import { errorsOf } from "@darkmatter/core";

/** The codes documented on `Wire`, and one for a request that no wire could carry. */
export const netError = errorsOf({
  UNREACHABLE: {
    status: 502,
    retryable: true,
    message: "The other node cannot be reached.",
    hint: "Check that it runs and that its address is right; nothing was sent.",
  },
  TIMEOUT: {
    status: 504,
    retryable: true,
    message: "The other node did not answer in time.",
    hint: "Try again later; it may have received the request.",
  },
  ADDRESS_REFUSED: {
    status: 403,
    retryable: false,
    message: "The address may not be reached from here.",
    hint: "Use an address that is neither link-local nor reserved nor, for strangers, private.",
  },
  ANSWER_TOO_LARGE: {
    status: 502,
    retryable: false,
    message: "The other node's answer is too large.",
    hint: "The request may have been carried out; its answer was not read.",
  },
  CONNECTION_LOST: {
    status: 502,
    retryable: true,
    message: "The connection was lost before the answer was whole.",
    hint: "Try again; the other node may have received the request.",
  },
  ABORTED: {
    status: 499,
    retryable: true,
    message: "The request was given up.",
    hint: "Nothing is wrong with the other node.",
  },
  MULTICAST_FAILED: {
    status: 502,
    retryable: true,
    message: "The local network cannot be listened to.",
    hint: "Another program may hold the port for itself, or this machine has no network; agents are found in other ways.",
  },
  CHANNEL_FAILED: {
    status: 502,
    retryable: true,
    message: "No direct channel to the other node came to be.",
    hint: "Messages travel by other ways; a firewall or a strict router may be between the two.",
  },
  MAPPING_FAILED: {
    status: 502,
    retryable: true,
    message: "No router opened a port.",
    hint: "Open the port in the router by hand and set DARKMATTER_PUBLIC_URL, or use an anchor.",
  },
  REQUEST_INVALID: {
    status: 500,
    retryable: false,
    message: "The request cannot be sent: a header or the method is malformed.",
    hint: "Header names and values may hold no line breaks.",
  },
});
