import * as z from 'zod';
import { rule } from '../../manifest/fields';

/** As a number only a major version: 15.10 in YAML is the number 15.1. */
export const versionText = z.union([
  z.int().min(10).max(999),
  z.string().regex(/^[1-9][0-9]{1,2}(\.[0-9]{1,4})?$/, rule('write a major version such as 15, or "15.4" in quotes')),
]);

/** Versions as `server_version_num` counts them: from the first one that is meant to before the first one that is not. */
export function versionOf(version: number | string): { from: number; before: number } {
  const [major = 0, minor] = String(version).split('.').map(Number);
  const from = major * 10_000 + (minor ?? 0);
  return { from, before: minor === undefined ? from + 10_000 : from + 1 };
}
