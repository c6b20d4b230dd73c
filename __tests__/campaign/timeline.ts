import type { Evidence } from './evidence';

interface Line {
  at: number;
  who: string;
  text: string;
}

/** What happened, one line each, in seconds from the beginning: runners, faults, journals, and how the hosts ended. */
export function renderTimeline(evidence: Evidence): string {
  const { startedAt, runs, entries, events, sights, final } = evidence;
  const lines: Line[] = [
    ...events.map(({ at, kind, host, text }) => ({ at, who: host ?? '—', text: `** ${kind}: ${text}` })),
    ...entries.map(({ at, host, epoch, verb, what, detail, transaction }) => ({
      at,
      who: host,
      text: `   journal ${transaction.slice(-6)} epoch ${epoch}: ${verb} ${what} ${detail}`,
    })),
    ...sights.map(({ at, host, component, release, version }) => ({
      at,
      who: host,
      text: `   ${component} → ${version ?? 'nothing'} (${release ?? 'no link'})`,
    })),
    ...runs.flatMap((run) =>
      (run.result?.lines ?? [])
        .filter(({ text, level }) => level !== 'debug' && !/^check "|^ {2}pass /.test(text))
        .map(({ at, text }) => ({ at, who: `run ${run.id}`, text: `   | ${text}` })),
    ),
  ];
  const body = lines
    .map((line, index) => ({ line, index }))
    .sort((one, other) => one.line.at - other.line.at || one.index - other.index)
    .map(({ line }) => `${((line.at - startedAt) / 1000).toFixed(2).padStart(8)}  ${line.who.padEnd(10)} ${line.text}`);
  const end = final.map((host) => {
    const parts = Object.entries(host.releases).map(
      ([name, { version }]) =>
        `${name} ${version ?? 'nothing'} (answers ${host.answers?.[name as 'backend'] ?? 'nothing'})`,
    );
    const more = [
      host.active === null ? '' : `open: ${host.active} ${host.state}`,
      host.critical === null ? '' : `CRITICAL: ${host.critical}`,
      host.schema === null ? '' : `schema ${host.schema}`,
    ];
    return `     end  ${host.host.padEnd(10)}    ${[...parts, ...more.filter(Boolean)].join(', ')}`;
  });
  return [...body, ...end, ''].join('\n');
}
