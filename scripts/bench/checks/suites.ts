import { stringify } from 'yaml';
import type { Targets } from './targets';

/** One question that both tools know. */
type Question = { kind: 'http'; url: string } | { kind: 'tcp'; port: number } | { kind: 'command'; run: string };

/** `count` questions, of which exactly one takes long: two in five are web addresses, two ports, and one a command. */
export function questions(count: number, { http, tcp }: Targets): Question[] {
  const slow: Question = { kind: 'http', url: `http://127.0.0.1:${http}/slow` };
  const others = Array.from({ length: count - 1 }, (_, index): Question => {
    const port = tcp[index % tcp.length] ?? http;
    if (index % 5 === 4) return { kind: 'command', run: `echo ${index}` };
    return index % 2 === 0 ? { kind: 'http', url: `http://127.0.0.1:${http}/fast?${index}` } : { kind: 'tcp', port };
  });
  return [slow, ...others];
}

/** Our suite file. */
export function suiteOf(asked: readonly Question[]): string {
  const common = { attempts: 1, timeout: '5s' };
  const checks = asked.map((question, index) => ({ name: `question ${index}`, ...common, ...ours(question) }));
  return stringify({ checks }, { lineWidth: 0 });
}

function ours(question: Question): Record<string, unknown> {
  switch (question.kind) {
    case 'http':
      return { type: 'http', url: question.url, expect: { status: 200, contains: 'ok' } };
    case 'tcp':
      return { type: 'tcp', open: [`127.0.0.1:${question.port}`] };
    case 'command':
      return { type: 'command', from: 'runner', run: question.run, expect: { contains: question.run.slice(5) } };
  }
}

/** The same for goss: https://goss.readthedocs.io/en/stable/gossfile/ */
export function gossfileOf(asked: readonly Question[]): string {
  const of = <Kind extends Question['kind']>(kind: Kind) =>
    asked.filter((question): question is Extract<Question, { kind: Kind }> => question.kind === kind);
  const timeout = 5000;
  return stringify(
    {
      http: Object.fromEntries(of('http').map(({ url }) => [url, { status: 200, body: ['ok'], timeout }])),
      addr: Object.fromEntries(of('tcp').map(({ port }) => [`tcp://127.0.0.1:${port}`, { reachable: true, timeout }])),
      command: Object.fromEntries(
        of('command').map(({ run }) => [run, { 'exit-status': 0, stdout: [run.slice(5)], timeout }]),
      ),
    },
    { lineWidth: 0 },
  );
}
