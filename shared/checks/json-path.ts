/** A place in a JSON document; `value` is undefined where the document has nothing there. */
export interface JsonPlace {
  path: string;
  value: unknown;
}

/** Most places that one path with `*` may stand for. */
export const maxPlaces = 10_000;

/**
 * Where a path leads: `a.b.0.c` names members and list positions, `*` every member or position. A dot or star that
 * belongs to a name is written `\.` or `\*`. One place more than `maxPlaces` at most; none where `*` meets an empty
 * list or map.
 */
export function placesAt(document: unknown, path: string): JsonPlace[] {
  const steps = path.split(/(?<!\\)\./);
  return steps.reduce<JsonPlace[]>((places, step) => advance(places, step), [{ path: '', value: document }]);
}

/** What a path without `*` leads to; undefined when not there. */
export function valueAt(document: unknown, path: string): unknown {
  return placesAt(document, path)[0]?.value;
}

function advance(places: readonly JsonPlace[], step: string): JsonPlace[] {
  const found: JsonPlace[] = [];
  for (const { path, value } of places) {
    const known = value === null || typeof value !== 'object' ? null : (value as Record<string, unknown>);
    const before = path === '' ? '' : `${path}.`;
    if (step !== '*' || known === null) {
      const name = step.replaceAll('\\.', '.').replaceAll('\\*', '*');
      const there = known !== null && Object.hasOwn(known, name) && !(Array.isArray(known) && name === 'length');
      found.push({ path: before + step, value: there ? known[name] : undefined });
      continue;
    }
    for (const name of Object.keys(known)) {
      found.push({ path: before + name.replaceAll('.', '\\.').replaceAll('*', '\\*'), value: known[name] });
      if (found.length > maxPlaces) return found;
    }
  }
  return found;
}
