import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** How a router of a test behaves; as it should where nothing is said. */
export interface Manners {
  readonly version?: 1 | 2;
  readonly service?: string;
  externalAddress?: string;
  /** The first so many ports are somebody else's. */
  taken?: number;
  readonly onlyPermanent?: boolean;
  /** What it says in answer to a search, in place of where it is. */
  readonly location?: string;
  /** What it describes itself as, in place of the truth. */
  readonly description?: string;
  readonly controlUrl?: string;
  /** Says yes, and maps to another machine or not at all. */
  readonly lies?: "elsewhere" | "nothing";
  /** Does not know how to answer what a port leads to. */
  readonly mute?: boolean;
  /** Never answers that. */
  readonly hangs?: "description" | "action";
  readonly redirects?: string;
}

export interface FakeGateway extends AsyncDisposable {
  readonly ssdp: { readonly address: string; readonly port: number };
  /** External port to the fields it was added with. */
  readonly mappings: Map<string, ReadonlyMap<string, string>>;
  /** The actions it was asked for, in order. */
  readonly asked: string[];
  readonly added: Array<ReadonlyMap<string, string>>;
}

/** A router on loopback that speaks UPnP. */
export async function fakeGateway(manners: Manners = {}): Promise<FakeGateway> {
  const { version = 1, service = `WANIPConnection:${version}` } = manners;
  const type = `urn:schemas-upnp-org:service:${service}`;
  const mappings: FakeGateway["mappings"] = new Map();
  const added: FakeGateway["added"] = [];
  const asked: string[] = [];
  const own = `<service><serviceType>${type}</serviceType><controlURL>${manners.controlUrl ?? "/control"}</controlURL></service>`;
  const description = `<?xml version="1.0"?><!-- a router -->
    <root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:${version}</deviceType>
    <serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/other</controlURL></service></serviceList>
    <deviceList><device><serviceList>${own}</serviceList></device></deviceList></device></root>`;

  function act(action: string, fields: ReadonlyMap<string, string>): [number, string] {
    const port = fields.get("NewExternalPort") ?? "";
    const error = (code: number): [number, string] => [500, `<e><errorCode>${code}</errorCode></e>`];
    if (action === "GetExternalIPAddress") {
      return [
        200,
        `<r><NewExternalIPAddress>${manners.externalAddress ?? "5.6.7.8"}</NewExternalIPAddress></r>`,
      ];
    }
    if (action === "AddPortMapping") {
      if ((manners.taken ?? 0) > 0) {
        manners.taken = (manners.taken ?? 0) - 1;
        return error(718);
      }
      if (manners.onlyPermanent && fields.get("NewLeaseDuration") !== "0") return error(725);
      added.push(fields);
      if (manners.lies !== "nothing") mappings.set(port, fields);
      return [200, "<r/>"];
    }
    if (action === "DeletePortMapping") return mappings.delete(port) ? [200, "<r/>"] : error(714);
    if (action !== "GetSpecificPortMappingEntry" || manners.mute) return error(401);
    const mapping = mappings.get(port);
    if (!mapping) return error(714);
    const client = manners.lies === "elsewhere" ? "192.168.1.99" : mapping.get("NewInternalClient");
    return [
      200,
      `<r><NewInternalPort>${mapping.get("NewInternalPort")}</NewInternalPort><NewInternalClient>${client}</NewInternalClient></r>`,
    ];
  }

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (manners.redirects) return void response.writeHead(302, { location: manners.redirects }).end();
    if (request.method === "GET") {
      if (manners.hangs !== "description") response.end(manners.description ?? description);
      return;
    }
    const action = String(request.headers.soapaction).split("#")[1]?.replace('"', "") ?? "";
    asked.push(action);
    if (manners.hangs === "action") return;
    const given = Buffer.concat(chunks).toString();
    const fields = new Map(
      [...given.matchAll(/<(New\w+)>([^<]*)</g)].map(([, name = "", value = ""]) => [name, value]),
    );
    const [status, body] = act(action, fields);
    response.writeHead(status).end(`<?xml version="1.0"?>${body}`);
  });
  const httpPort = await listening(server);

  const socket = createSocket("udp4");
  await bound(socket);
  socket.on("message", (bytes, { address, port }) => {
    const target = /^ST: (.+)$/m.exec(bytes.toString())?.[1]?.trim();
    if (target !== `urn:schemas-upnp-org:device:InternetGatewayDevice:${version}`) return;
    const location = manners.location ?? `http://127.0.0.1:${httpPort}/description.xml`;
    socket.send(`HTTP/1.1 200 OK\r\nST: ${target}\r\nLocation: ${location}\r\n\r\n`, port, address);
  });

  return {
    ssdp: { address: "127.0.0.1", port: socket.address().port },
    mappings,
    asked,
    added,
    async [Symbol.asyncDispose]() {
      socket.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A router on loopback that speaks NAT-PMP: answers each packet with what it is told to. */
export async function fakeNatPmp(
  answer: (packet: Buffer) => Buffer | undefined,
): Promise<{ readonly port: number } & AsyncDisposable> {
  const socket = createSocket("udp4");
  await bound(socket);
  socket.on("message", (packet, { address, port }) => {
    const bytes = answer(packet);
    if (bytes) socket.send(bytes, port, address);
  });
  return {
    port: socket.address().port,
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

function bound(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.bind({ port: 0, address: "127.0.0.1" }, () => resolve()));
}
