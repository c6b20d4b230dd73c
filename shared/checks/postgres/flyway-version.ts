/**
 * One form for all ways to write the same version: `1_2`, `01.2` and `1.2.0` are one for Flyway, too. Null for what is
 * no version.
 */
export function flywayVersion(text: string): string | null {
  if (!/^[0-9]+([._][0-9]+)*$/.test(text)) return null;
  const parts = text.split(/[._]/).map((part) => BigInt(part));
  while (parts.length > 1 && parts.at(-1) === 0n) parts.pop();
  return parts.join('.');
}

/** Below zero where the first version, in the form of `flywayVersion`, comes before the second. */
export function compareVersions(one: string, other: string): number {
  const left = one.split('.').map(BigInt);
  const right = other.split('.').map(BigInt);
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const [a, b] = [left[index] ?? 0n, right[index] ?? 0n];
    if (a !== b) return a < b ? -1 : 1;
  }
  return 0;
}
