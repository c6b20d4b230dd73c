import type { HostProbe, ServiceSample } from '../checks/context';
import { SafeguardError } from '../errors';
import type { ExecResult } from '../ports';
import type { AgentAnswer, HostAgent } from './agent';
import { type AgentRecord, secretsInput } from './wire';

export interface ProbeOptions {
  roles: readonly string[];
  /** Text of a plan that names the host's components. */
  plan: string;
  /** Secrets that status commands of services may see. */
  secrets: Readonly<Record<string, string>>;
}

/** What checks may ask of a host, through the agent. Reads only. */
export function createProbe(agent: HostAgent, { roles, plan, secrets }: ProbeOptions): HostProbe {
  const ask = async (
    verb: string,
    args: Record<string, string | number>,
    stdin: string,
    signal?: AbortSignal,
    timeoutMs?: number,
  ) => {
    const answer = await agent.ask(verb, args, {
      stdin,
      ...(signal ? { signal } : {}),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    if (answer.status !== 'ok') {
      throw new SafeguardError(`${agent.host}: ${answer.message || answer.code}`, {
        fault: 'host',
        code: answer.code || 'probe-failed',
        host: agent.host,
      });
    }
    return answer;
  };
  const probe = (signal?: AbortSignal) => ask('probe', {}, secretsInput(secrets) + plan, signal);
  return {
    host: agent.host,
    roles,
    services: async (signal) => serviceSamples((await probe(signal)).records),
    versions: async (signal) => versions(await probe(signal)),
    run: async (command, options) => {
      const answer = await ask(
        'run',
        { timeout: Math.max(1, Math.ceil(options.timeoutMs / 1000)) },
        `${secretsInput(options.secrets ?? {})}${command}\n`,
        options.signal,
        options.timeoutMs + 5_000,
      );
      return ran(answer);
    },
    logs: async (component, lines, signal) => {
      const answer = await ask('logs', { component, lines }, plan, signal);
      return answer.records.find((entry) => entry.kind === 'log')?.fields['text'] ?? '';
    },
  };
}

/** What `probe` and `capture` answer about services. */
export function serviceSamples(records: readonly AgentRecord[]): ServiceSample[] {
  return records
    .filter((entry) => entry.kind === 'service')
    .map(({ fields }) => ({
      component: fields['component'] ?? '',
      unit: fields['unit'] ?? '',
      active: fields['active'] === 'yes',
      state: fields['state'] ?? '',
      restarts: number(fields['restarts']),
      pid: number(fields['pid']),
      invocation: fields['invocation'] === '-' ? null : (fields['invocation'] ?? null),
      result: fields['result'] === '-' ? null : (fields['result'] ?? null),
      stale: fields['stale'] === 'yes',
    }));
}

function versions(answer: AgentAnswer): Record<string, string | null> {
  const entries = answer.records
    .filter((entry) => entry.kind === 'version')
    .map(({ fields }) => [fields['component'] ?? '', fields['version'] === '-' ? null : (fields['version'] ?? null)]);
  return Object.fromEntries(entries);
}

/** `timeout` ends what it stopped with 124, and with 137 after a kill. */
function ran(answer: AgentAnswer): ExecResult {
  const fields = answer.records.find((entry) => entry.kind === 'ran')?.fields ?? {};
  return {
    code: number(fields['code']),
    signal: null,
    stdout: fields['stdout'] ?? '',
    stderr: fields['stderr'] ?? '',
  };
}

function number(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}
