import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { inlineCommand, inlineInput, installCommand, verbCommand } from '../../shared/host/agent-command';
import { agentSource } from '../../shared/host/agent-source';
import { secretsInput } from '../../shared/host/wire';
import { renderPlan } from '../../shared/transaction/host-plan';
import { Box, must, noting } from './box';
import { describeInShells } from './shells';

/** Values that break what was not quoted, escaped or counted. */
const hostile: readonly string[] = [
  'plain',
  ' leading and trailing ',
  '-n',
  '-e \\c',
  '--',
  '=',
  'a=b=c',
  '\\',
  '\\\\',
  '\\n is not a line end',
  '\\t\\r\\0101\\x41',
  'tab\there',
  '\ttabs around\t',
  'two\nlines',
  'ends with a line end\n',
  '\n\nonly lines between\n\n',
  'carriage\r\nreturn\r',
  `single ' and double " quotes`,
  '$(touch pwned) `touch pwned` ${HOME} $HOME !! ; & | > < * ? [a] ~',
  '%s %n %% %b',
  'käse 日本語 🚢 \u00a0 e\u0301',
  '\u0001\u001b[31mcontrol\u007f',
  'end\nds1\tend\tstatus=ok',
  'x'.repeat(100_000),
  'line of text\n'.repeat(8_000),
];

const shown = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}… (${text.length})` : text);

describeInShells('values on their way between coordinator and agent', (shell) => {
  let box: Box;
  beforeAll(async () => {
    box = await Box.create(shell);
  });
  afterAll(() => box.dispose());

  it('come back from a command as they were given to it as secrets', async () => {
    const damaged: unknown[] = [];
    for (const value of hostile) {
      const answer = must(
        await box.verb('run', { timeout: 10 }, { stdin: `${secretsInput({ VALUE: value })}printf '%s.' "$VALUE"` }),
      );
      const got = answer.records.find(({ kind }) => kind === 'ran')?.fields['stdout'];
      // Standard output is cut after 64 KiB.
      if (got !== `${value}.`.slice(0, 65_536)) damaged.push({ sent: shown(value), got: shown(got ?? '') });
    }
    expect(damaged).toEqual([]);
    expect(existsSync('/pwned')).toBe(false);
  }, 60_000);

  it('hold one command text of any kind', async () => {
    const text = `printf '%s' 'tab\there' "two\nlines" '\\n'; printf 'to stderr' >&2; exit 7`;
    const answer = must(await box.verb('run', { timeout: 10 }, { stdin: secretsInput({}) + text }));
    expect(answer.records.find(({ kind }) => kind === 'ran')?.fields).toEqual({
      code: '7',
      stdout: 'tab\theretwo\nlines\\n',
      stderr: 'to stderr',
    });
  });

  it('are plan fields that the status tells as they are stored', async () => {
    const odd = path.join(box.folder, "srv/odd 'name'\twith \\ and ü");
    const service = noting('/dev/null', { start: 'echo "a\tb\\n"\n# second line\n' });
    const transaction = box.transaction({ components: [box.component({ root: odd, service })] });
    must(await transaction.open());
    const status = must(await box.verb('status'));
    const lines = status.records.filter(({ kind }) => kind === 'plan').map(({ fields }) => fields['line']);
    expect(`${lines.join('\n')}\n`).toBe(renderPlan(transaction.plan));
    const look = must(await box.verb('status', { plan: 'yes' }, { stdin: renderPlan(transaction.plan) }));
    expect(look.records.find(({ kind }) => kind === 'component')?.fields).toMatchObject({ name: 'web', kind: 'none' });
    must(await transaction.revert());
    must(await transaction.close());
  });

  it('are history lines that come back unchanged', async () => {
    const line = JSON.stringify({ note: 'tab\t, \\ and "quotes" and \n', unicode: '日本 🚢' });
    const transaction = box.transaction();
    must(await transaction.open());
    must(await transaction.close({}, line));
    const status = must(await box.verb('status'));
    expect(status.records.filter(({ kind }) => kind === 'history').at(-1)?.fields['line']).toBe(line);
  });

  it('never make a key of their own', async () => {
    const answer = await box.verb('status', { 'x;touch /pwned;y': '1' });
    expect(answer).toMatchObject({ status: 'refused', code: 'bad-call', exit: 3 });
    const secret = await box.verb('run', { timeout: 5 }, { stdin: 'secret\tA;B\tx\nend\n' });
    expect(secret).toMatchObject({ status: 'failed', code: 'secret-invalid', exit: 1 });
  });
});

describeInShells('the ways to start the agent', (shell) => {
  let box: Box;
  beforeAll(async () => {
    box = await Box.create(shell);
  });
  afterAll(() => box.dispose());

  const place = () => ({ root: `${box.folder}/fresh root`, sudo: false, source: agentSource() });
  const run = (text: string, stdin = '') => box.run([path.join(box.folder, 'sh'), '-c', text], { stdin });

  it('say that the agent is missing, run it without installing it, install it, run it', async () => {
    const absent = await run(verbCommand(place(), 'status', []));
    expect(absent).toMatchObject({ status: 'refused', code: 'agent-missing', exit: 3 });

    const plan = renderPlan(box.plan({ components: [box.component()] }));
    const inline = await run(inlineCommand(place(), 'status', ['plan=yes']), inlineInput(place(), plan));
    expect(must(inline).records.map(({ kind }) => kind)).toEqual(['host', 'component', 'end']);
    expect(existsSync(place().root)).toBe(false);

    const installed = await run(installCommand(place()), place().source.text);
    expect(installed).toMatchObject({ exit: 0, stderr: '' });
    expect(readdirSync(place().root)).toEqual([`agent-${place().source.sha256}.sh`]);
    must(await run(verbCommand(place(), 'status', [])));
  });

  it('install nothing that arrived damaged', async () => {
    const other = { ...place(), root: `${box.folder}/damaged` };
    const cut = await run(installCommand(other), place().source.text.slice(0, -1));
    expect(cut).toMatchObject({ exit: 1 });
    expect(readdirSync(other.root)).toEqual([]);
  });
});
