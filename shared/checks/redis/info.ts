/** The lines `name:value` of INFO and of CLUSTER INFO. */
export type Info = ReadonlyMap<string, string>;

export function parseInfo(text: string): Info {
  const lines = text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
}

/** A value that counts something, or null where it is absent or no number. */
export function numberIn(info: Info, name: string): number | null {
  const text = info.get(name);
  return text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : null;
}

/** The replicas that a master knows: `slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0`. */
export function replicasIn(info: Info): { place: string; state: string }[] {
  return [...info].flatMap(([name, value]) => {
    if (!/^slave\d+$/.test(name)) return [];
    const fields = new Map(value.split(',').map((field) => field.split('=', 2) as [string, string]));
    return [{ place: `${fields.get('ip')}:${fields.get('port')}`, state: fields.get('state') ?? 'unknown' }];
  });
}
