import type { HostProbe } from '../checks/context';
import { maskerOf } from '../checks/masking';
import { HostAgent } from '../host/agent';
import { agentSource } from '../host/agent-source';
import { type Credentials, connect } from '../host/connect';
import { createProbe } from '../host/probe';
import type { Environment } from '../manifest/environment';
import type { Clock } from '../ports';
import { Fleet } from './fleet';
import { renderPlan } from './host-plan';
import { componentSecrets, lookPlan, secretValues } from './planning';

/** The hosts of an environment at hand: for verbs of the agent, and for checks, which only read. */
export interface Hosts {
  fleet: Fleet;
  agents: ReadonlyMap<string, HostAgent>;
  probes: readonly HostProbe[];
  close(): Promise<void>;
}

/** Makes the links; nothing is connected yet. */
export function openHosts(
  environment: Environment,
  options: { credentials: Credentials; clock: Clock; variables: Readonly<Record<string, string | undefined>> },
): Hosts {
  const { clock, credentials, variables } = options;
  const source = agentSource();
  const opened = environment.hosts.map((host) => {
    const link = connect(host, credentials);
    const agent = new HostAgent(link, {
      root: `${environment.paths.state}/${environment.app}`,
      sudo: host.sudo,
      source,
    });
    const probe = createProbe(agent, {
      roles: host.roles,
      plan: renderPlan(lookPlan(environment, host.name)),
      secrets: componentSecrets(environment, host.name, variables),
    });
    return { name: host.name, link, agent, probe };
  });
  const agents = new Map(opened.map(({ name, agent }) => [name, agent]));
  return {
    fleet: new Fleet(agents, clock, maskerOf(secretValues(environment, variables))),
    agents,
    probes: opened.map(({ probe }) => probe),
    close: async () => {
      for (const { agent } of opened) agent.close();
      await Promise.all(opened.map(({ link }) => link.close()));
    },
  };
}
