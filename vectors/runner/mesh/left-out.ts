import { isJsonObject, type JsonObject } from "@darkmatter/core";

/** Files about layers that are not built yet, and what those are. */
export const LATER_FILES: Readonly<Record<string, string>> = {
};

/** Endpoints of those layers. */
const LATER_PATHS: ReadonlyArray<readonly [RegExp, string]> = [
];

/** Why a scenario of requests is not run yet; `undefined` for one that is. */
export function laterScenario(scenario: JsonObject): string | undefined {
  const steps = Array.isArray(scenario.steps) ? scenario.steps.filter(isJsonObject) : [];
  const paths = steps.map(({ request }) => (isJsonObject(request) ? String(request.path) : ""));
  return LATER_PATHS.find(([pattern]) => paths.some((path) => pattern.test(path)))?.[1];
}

/** Why a case of outbound calls is not run yet; `undefined` for one that is. */
export function laterCall(one: JsonObject): string | undefined {
  const calls = Array.isArray(one.outbound) ? one.outbound.filter(isJsonObject) : [];
  const urls = calls.map(({ url }) => String(url));
  return LATER_PATHS.find(([pattern]) => urls.some((url) => pattern.test(url)))?.[1];
}
