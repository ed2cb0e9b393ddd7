import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import ts from "typescript";

/** Modules that reach the disk, the network, processes or time: each has a port. */
const MODULES =
  /^(node:)?(fs|child_process|dgram|net|tls|dns|http|https|http2|timers|perf_hooks|cluster|worker_threads|inspector)(\/|$)/;

/** Globals that do, too. */
const GLOBALS = new Set([
  ...["performance", "fetch", "WebSocket", "EventSource", "XMLHttpRequest", "BroadcastChannel"],
  ...["setTimeout", "setInterval", "setImmediate", "scheduler"],
]);

/** Of these globals all but the named members is fine. */
const FORBIDDEN_MEMBERS: Record<string, readonly string[]> = {
  AbortSignal: ["timeout"],
  Math: ["random"],
  process: ["hrtime", "uptime", "getBuiltinModule", "binding"],
  Atomics: ["wait", "waitAsync"],
};
/** Of Date only what reads no clock. */
const DATE_MEMBERS = new Set(["parse", "UTC"]);

/** Randomness by its name, whatever it is called on: global crypto, `node:crypto`, `webcrypto`. */
const RANDOMNESS = new Set([
  ...["randomUUID", "randomUUIDv7", "randomBytes", "randomInt", "randomFill", "randomFillSync"],
  ...["getRandomValues", "generateKeyPair", "generateKeyPairSync", "generateKeySync"],
]);

const GLOBAL_OBJECTS = new Set(["globalThis", "global", "self", "window"]);

/** Where the real world may be touched: adapters, tests and the helpers they share. */
export const MAY_TOUCH_THE_WORLD = /\/adapters\/|\.test\.ts$|\/testing(\.ts$|\/)/;

/**
 * Every direct use of time, randomness, disk, processes or network in the given files, one sentence each.
 * Names are looked up as the compiler does it, so that a parameter called `fetch` is no use of the network.
 */
export function directUses(paths: readonly string[], host?: ts.CompilerHost): string[] {
  const program = ts.createProgram(
    paths,
    { noLib: true, noResolve: true, target: ts.ScriptTarget.ESNext },
    host,
  );
  const checker = program.getTypeChecker();
  return paths.flatMap((path) => {
    const file = program.getSourceFile(path);
    if (file === undefined) return [`${path}: cannot be read`];
    const uses: string[] = [];
    const visit = (node: ts.Node): void => {
      const use = useIn(node, checker);
      if (use !== undefined) {
        const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
        uses.push(`${path}:${line + 1}: ${use}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
    return uses;
  });
}

function useIn(node: ts.Node, checker: ts.TypeChecker): string | undefined {
  const module = moduleOf(node);
  if (module !== undefined && MODULES.test(module)) return module;
  const named = ts.isImportSpecifier(node) ? (node.propertyName ?? node.name).text : memberName(node);
  if (named !== undefined && RANDOMNESS.has(named)) return named;

  const name = globalName(node, checker);
  if (name === undefined) return undefined;
  if (GLOBALS.has(name)) return name;
  const member =
    ts.isPropertyAccessExpression(node.parent) || ts.isElementAccessExpression(node.parent)
      ? memberName(node.parent)
      : destructured(node);
  if (name === "Date") return isFixedDate(node, member) ? undefined : `Date${member ? `.${member}` : ""}`;
  const forbidden = FORBIDDEN_MEMBERS[name];
  if (forbidden === undefined) return undefined;
  const found = forbidden.find((each) => each === member || member?.split(",").includes(each));
  return found && `${name}.${found}`;
}

/** The module a statement or call loads at run time; a type's import loads none. */
function moduleOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) && !isTypeOnly(node.importClause)) return text(node.moduleSpecifier);
  if (ts.isExportDeclaration(node) && !node.isTypeOnly) return text(node.moduleSpecifier);
  if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
    return text(node.moduleReference.expression);
  }
  if (!ts.isCallExpression(node)) return undefined;
  const loads =
    node.expression.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(node.expression) && node.expression.text === "require");
  return loads ? text(node.arguments[0]) : undefined;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  return clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

function text(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function memberName(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (ts.isElementAccessExpression(node)) return text(node.argumentExpression);
  if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) {
    const key = node.propertyName ?? node.name;
    return ts.isIdentifier(key) ? key.text : text(key);
  }
  return undefined;
}

/** "now,parse" for the global in `const { now, parse } = Date`. */
function destructured(node: ts.Node): string | undefined {
  const declaration = node.parent;
  if (!ts.isVariableDeclaration(declaration) || !ts.isObjectBindingPattern(declaration.name))
    return undefined;
  return declaration.name.elements.map((element) => memberName(element)).join(",");
}

/** `Date` of a given moment, or as a type: no reading of the clock. */
function isFixedDate(node: ts.Node, member: string | undefined): boolean {
  const { parent } = node;
  if (member !== undefined) return DATE_MEMBERS.has(member);
  if (ts.isNewExpression(parent) && parent.expression === node) return (parent.arguments?.length ?? 0) > 0;
  return ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword;
}

/** The global that an expression names: `fetch`, `globalThis.fetch`, `globalThis["fetch"]`. */
function globalName(node: ts.Node, checker: ts.TypeChecker): string | undefined {
  const member = ts.isBindingElement(node) ? undefined : memberName(node);
  if (member !== undefined && (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node))) {
    const object = globalName(node.expression, checker);
    return object !== undefined && GLOBAL_OBJECTS.has(object) ? member : undefined;
  }
  if (ts.isBindingElement(node)) {
    const source = node.parent.parent;
    const from = ts.isVariableDeclaration(source) && source.initializer;
    const object = from ? globalName(from, checker) : undefined;
    return object !== undefined && GLOBAL_OBJECTS.has(object) ? memberName(node) : undefined;
  }
  if (!ts.isIdentifier(node) || !isReference(node)) return undefined;
  const symbol = ts.isShorthandPropertyAssignment(node.parent)
    ? checker.getShorthandAssignmentValueSymbol(node.parent)
    : checker.getSymbolAtLocation(node);
  return symbol?.declarations?.length ? undefined : node.text;
}

/** Whether an identifier is used as a value, and is not a property's name, a label or part of a type. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  return ts.isExpression(node) && !ts.isPartOfTypeNode(node) && !ts.isTypeNode(parent);
}

function ourFiles(): string[] {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "packages"];
  const files = execFileSync("git", args, { encoding: "utf8" }).split("\0");
  return files.filter((file) => /\.[cm]?tsx?$/.test(file) && existsSync(file));
}

if (import.meta.main) {
  const files = ourFiles().filter((file) => !MAY_TOUCH_THE_WORLD.test(file));
  const uses = directUses(files);
  for (const use of uses) console.error(`${use} outside an adapter: use its port`);
  console.log(`${files.length} files`);
  process.exit(uses.length > 0 ? 1 : 0);
}
