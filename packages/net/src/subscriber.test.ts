import { expect, test } from "vitest";
import { subscriberOf } from "./addresses.ts";

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["::ffff:c000:207", "192.0.2.7"],
  ["2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::/64"],
  ["2001:0DB8:1:2::1", "2001:db8:1:2::/64"],
  ["2001:db8:1:3::1", "2001:db8:1:3::/64"],
  ["::1", "::/64"],
  ["192.0.2.7:80", undefined],
  ["unknown", undefined],
  ["", undefined],
])("%s counts for %s", (address, subscriber) => {
  expect(subscriberOf(address)).toBe(subscriber);
});
