export { runningSha256, sha256, sha256Hex, sha256HexOf } from "#sha256";
