import { errorsOf } from "@darkmatter/core";

export const surfaceError = errorsOf({
  PORT_TAKEN: {
    status: 500,
    retryable: true,
    message: "Another program listens on this port",
    hint: "Choose another port, or stop the program that holds it.",
  },
  ADDRESS_UNAVAILABLE: {
    status: 500,
    retryable: false,
    message: "This machine cannot listen on that address",
    hint: "Use 127.0.0.1, or an address this machine has, and a port this user may open.",
  },
});
