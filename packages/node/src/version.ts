/** This program's version: an older owner hands over to a newer session. Equal to the package's. */
export const VERSION = "0.1.0";
