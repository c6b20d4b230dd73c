import { join } from 'node:path';
import type { HostProbe } from '../../../shared/checks/context';
import { HostAgent } from '../../../shared/host/agent';
import { agentSource } from '../../../shared/host/agent-source';
import { connectLocal } from '../../../shared/host/local';
import { createProbe } from '../../../shared/host/probe';
import { host } from '../../checks/doubles';

export interface LocalHost {
  probe: HostProbe;
  close(): Promise<void>;
}

/** This machine as a host, asked through the agent; `folder` is where the agent would keep its state. */
export function localHost(folder: string, name = 'web-01'): LocalHost {
  const link = connectLocal(host({ name, connection: 'local', ssh: null, sudo: false }));
  const agent = new HostAgent(link, { root: join(folder, 'agent'), sudo: false, source: agentSource() });
  return {
    probe: createProbe(agent, { roles: ['web'], plan: 'end\n', secrets: {} }),
    close: async () => {
      agent.close();
      await link.close();
    },
  };
}

/** As the host, with something that happens between the first look at it and the second. */
export function betweenLooks(probe: HostProbe, happens: () => Promise<void>): HostProbe {
  let looks = 0;
  return {
    ...probe,
    run: async (command, options) => {
      const answer = await probe.run(command, options);
      looks += 1;
      if (looks === 1) await happens();
      return answer;
    },
  };
}
