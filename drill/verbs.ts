/** Verbs of the host agent that are worth a bar; renewals come every second and would hide the rest. */
const shown =
  /(?:^|\s|')(status|preflight|open|receive|stage|migrate|switch|decide|confirm|revert|resume|fence|close|capture|forensics)(?:'|\s|$)/;

/** What a command tells the host agent to do, or null when it is nothing for the timeline. */
export function verbOf(command: string): string | null {
  const after = command.indexOf('--root');
  if (after === -1) return null;
  const match = shown.exec(command.slice(after).replace(/^--root'? +('[^']*'|\S+)/, ''));
  return match?.[1] ?? null;
}

/** Whether a verb changes nothing on the host. */
export function onlyReads(verb: string): boolean {
  return verb === 'status' || verb === 'preflight' || verb === 'capture';
}

/** Whether a command is the agent that waits for requests. */
export function isServing(command: string): boolean {
  return /--root'? +('[^']*'|\S+) +'?serve'?\s/.test(`${command}\n`);
}
