import type { Problem } from '../problems';
import type { Knock } from './knock';

/** One port, what it has to be and what it is. */
export interface Port {
  /** The machine, by whatever it was asked under. */
  host: string;
  /** `10.0.0.1:6379` */
  place: string;
  wanted: 'open' | 'closed';
  knock: Knock;
}

/**
 * Silence of one port means a firewall where another port of the same machine answers, open or refused; where the whole
 * machine is silent it may be down, and then its closed ports prove nothing.
 */
export function judgePorts(ports: readonly Port[]): Problem[] {
  const alive = new Set(
    ports.filter(({ knock }) => knock.kind === 'open' || knock.kind === 'refused').map(({ host }) => host),
  );
  return ports.flatMap((port) => judgePort(port, alive.has(port.host)));
}

function judgePort({ place, wanted, knock }: Port, hostAnswers: boolean): Problem[] {
  switch (knock.kind) {
    case 'open':
      return wanted === 'open' ? [] : [unwanted(place)];
    case 'refused':
      return wanted === 'closed' ? [] : [refused(place)];
    case 'silent':
      if (!hostAnswers) return [silent(place, knock.why)];
      return wanted === 'closed' ? [] : [filtered(place, knock.why)];
    case 'unasked':
      return [unasked(place, knock)];
  }
}

function unwanted(place: string): Problem {
  const port = place.slice(place.lastIndexOf(':') + 1);
  return {
    verdict: 'fail',
    found: `${place} open`,
    remedy: `See who listens there, with ss -ltnp 'sport = :${port}' on the host; stop it, bind it to the loopback, or close the port in the firewall.`,
  };
}

function refused(place: string): Problem {
  return {
    verdict: 'fail',
    found: `${place} closed: the connection was refused`,
    remedy: 'See whether the service runs and on which address and port it listens: ss -ltnp.',
  };
}

function filtered(place: string, why: string): Problem {
  return {
    verdict: 'fail',
    found: `${place} filtered: ${why}, while other ports of this machine answer`,
    remedy: 'Allow the runner to reach this port: a firewall in between, or on the machine, drops its packets.',
  };
}

function silent(place: string, why: string): Problem {
  return {
    verdict: 'inconclusive',
    found: `no data: ${place} neither accepts nor refuses (${why})`,
    remedy:
      'See whether the machine is up and reachable from the runner. A port counts as closed once any listed port of its machine answers.',
  };
}

function unasked(place: string, { why, code }: { why: string; code: string }): Problem {
  const resolution = code === 'ENOTFOUND' || code.startsWith('EAI_');
  return {
    verdict: 'inconclusive',
    found: `no data: ${place} could not be asked: ${why}`,
    remedy: resolution
      ? 'See whether the name is right and whether the runner can resolve it: getent hosts.'
      : 'See what keeps the runner from connecting.',
  };
}
