import type { Duplex, Readable } from 'node:stream';

export interface RequestListener {
  /** `verb` and its arguments, as one command line. */
  started(request: string, command: string): void;
  ended(request: string, code: number): void;
}

const call = /^ds1\tcall\t(\d+)\t(.*)$/;
const done = /^ds1\tdone\t(\d+)\t(\d+)$/;

/** Listens to the requests that an agent serves over one channel, and to the ends of its answers. */
export function watchRequests(channel: Duplex, answers: Readable, listener: RequestListener): void {
  eachLine(channel, (line) => {
    const [, id, words] = call.exec(line) ?? [];
    if (id !== undefined && words !== undefined) listener.started(id, words.replaceAll('\t', ' '));
  });
  eachLine(answers, (line) => {
    const [, id, code] = done.exec(line) ?? [];
    if (id !== undefined) listener.ended(id, Number(code));
  });
}

function eachLine(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
}
