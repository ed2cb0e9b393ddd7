import { addressClass, bareHost } from "../addresses.ts";
import { xmlElements, xmlText } from "./xml.ts";

/** What a gateway device is asked for, either version (UPnP IGD:1, IGD:2). */
export const IGD_TARGETS = [
  "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
  "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
];

/** The services that map ports, best first. */
const SERVICES = [
  "urn:schemas-upnp-org:service:WANIPConnection:2",
  "urn:schemas-upnp-org:service:WANIPConnection:1",
  "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

export interface IgdService {
  readonly type: string;
  readonly controlUrl: string;
}

/** A question to the network (UPnP Device Architecture 1.3.2). */
export function searchText(target: string, host: string): string {
  const lines = ["M-SEARCH * HTTP/1.1", `HOST: ${host}`, 'MAN: "ssdp:discover"', "MX: 1", `ST: ${target}`];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

const SEARCH_ANSWER_CHARACTERS_MAX = 4096;

/**
 * Where the gateway that answered from an address describes itself; `undefined` unless that is at this very address:
 * an answer must not send us to anybody else.
 */
export function locationOf(answer: string, from: string): string | undefined {
  if (answer.length > SEARCH_ANSWER_CHARACTERS_MAX || !/^HTTP\/1\.[01] 200\b/.test(answer)) return undefined;
  const [, location = ""] = /^location:[ \t]*(\S+)[ \t]*$/im.exec(answer.replaceAll("\r", "")) ?? [];
  return ownUrl(location, undefined, from);
}

/** A URL of a gateway, if it leads to the gateway itself. */
function ownUrl(url: string, base: string | undefined, address: string): string | undefined {
  const parsed = URL.parse(url, base);
  if (parsed?.protocol !== "http:" || parsed.username || parsed.password) return undefined;
  return bareHost(parsed.hostname) === address ? parsed.href : undefined;
}

/** What maps ports in a gateway's description, best first; nothing that lies elsewhere. */
export function servicesOf(description: string, location: string): readonly IgdService[] {
  const address = bareHost(new URL(location).hostname);
  const found: IgdService[] = [];
  let [type, control, base] = ["", "", location];
  for (const { name, text } of xmlElements(description) ?? []) {
    if (name === "URLBase") base = ownUrl(text, location, address) ?? location;
    if (name === "serviceType") type = text;
    if (name === "controlURL") control = text;
    if (name !== "service") continue;
    const controlUrl = control === "" ? undefined : ownUrl(control, base, address);
    if (SERVICES.includes(type) && controlUrl) found.push({ type, controlUrl });
    [type, control] = ["", ""];
  }
  return found.sort((one, other) => SERVICES.indexOf(one.type) - SERVICES.indexOf(other.type));
}

/** A call of a service's action. */
export function soapBody(
  service: IgdService,
  action: string,
  fields: Readonly<Record<string, string>>,
): string {
  const given = Object.entries(fields).map(([name, value]) => `<${name}>${xmlText(value)}</${name}>`);
  return (
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:${action} xmlns:u="${service.type}">${given.join("")}</u:${action}></s:Body></s:Envelope>`
  );
}

/** The fields of an answer, by name; of an error, `errorCode` among them. */
export function soapFields(answer: string): ReadonlyMap<string, string> {
  return new Map((xmlElements(answer) ?? []).map(({ name, text }) => [name, text]));
}

/** An address others can reach: a router that is itself behind another has none to give. */
export function isPublicAddress(address: string): boolean {
  return addressClass(address) === "public";
}
