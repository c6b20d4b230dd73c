import { attempt, command } from './command';

/** Which packets are lost, as seen from the host. */
export type Direction = 'in' | 'out' | 'both';

/** A bridge of this machine, which is also the runner: the fleet's hosts and nothing else hang on it. */
export class Bridge {
  readonly name: string;
  /** The runner's own address. */
  readonly address: string;
  readonly #subnet: string;

  private constructor(name: string, subnet: string) {
    this.name = name;
    this.#subnet = subnet;
    this.address = `${subnet}.1`;
  }

  static async create(prefix: string, slot: number): Promise<Bridge> {
    const bridge = new Bridge(prefix, `10.77.${slot}`);
    await command('ip', ['link', 'add', prefix, 'type', 'bridge', 'forward_delay', '0']);
    await command('ip', ['address', 'add', `${bridge.address}/24`, 'dev', prefix]);
    await command('ip', ['link', 'set', prefix, 'up']);
    return bridge;
  }

  addressOf(index: number): string {
    return `${this.#subnet}.${10 + index}`;
  }
}

/** The network of one host: a namespace with one interface, `host0`, whose other end is on the bridge. */
export class HostNetwork {
  readonly namespace: string;
  readonly #device: string;
  readonly #bridge: Bridge;
  readonly #address: string;
  readonly #card: string;

  constructor(bridge: Bridge, index: number, name: string) {
    this.namespace = `${bridge.name}-${name}`;
    this.#device = `${bridge.name}h${index}`;
    this.#bridge = bridge;
    this.#address = bridge.addressOf(index);
    this.#card = `02:00:${this.#address
      .split('.')
      .map((byte) => Number(byte).toString(16).padStart(2, '0'))
      .join(':')}`;
  }

  async create(): Promise<void> {
    await command('ip', ['netns', 'add', this.namespace]);
    const input = [
      // The card keeps its address when the machine is switched off and on, or others would talk to one that is gone.
      `link add ${this.#device} type veth peer name host0 address ${this.#card} netns ${this.namespace}`,
      `link set ${this.#device} master ${this.#bridge.name}`,
      `link set ${this.#device} up`,
    ].join('\n');
    const { code } = await attempt('ip', ['-batch', '-'], { input });
    if (code !== 0) {
      // A fleet that has just gone may have left its end: the kernel takes namespaces down in its own time.
      await attempt('ip', ['link', 'delete', this.#device]);
      await command('ip', ['-batch', '-'], { input });
    }
    await command('ip', ['-netns', this.namespace, '-batch', '-'], {
      input: ['link set lo up', `address add ${this.#address}/24 dev host0`, 'link set host0 up'].join('\n'),
    });
  }

  /** Takes every socket along without a word to the other end. The host's processes must have ended. */
  async remove(): Promise<void> {
    await command('ip', ['netns', 'delete', this.namespace]);
    // The kernel takes the namespace down in its own time; the name of our end is needed again at once.
    await attempt('ip', ['link', 'delete', this.#device]);
  }

  /** Loses `percent` of the packets in a direction; null lets everything through again. */
  async lose(direction: Direction | null, percent = 100): Promise<void> {
    const rules: string[] = ['add table inet fleet', 'delete table inet fleet'];
    if (direction !== null) {
      const drop = percent >= 100 ? 'drop' : `numgen random mod 100 < ${percent} drop`;
      rules.push('add table inet fleet');
      for (const hook of direction === 'both' ? ['in', 'out'] : [direction]) {
        rules.push(
          `add chain inet fleet ${hook} { type filter hook ${hook}put priority 0; }`,
          `add rule inet fleet ${hook} ${hook === 'in' ? 'iifname' : 'oifname'} host0 ${drop}`,
        );
      }
    }
    await command('ip', ['netns', 'exec', this.namespace, 'nft', '-f', '-'], { input: `${rules.join('\n')}\n` });
  }

  /**
   * Makes the link slow, both ways. `delayMs` is one way's; null and null make it quick again.
   *
   * @throws Error when a delay is asked for and the kernel has no `sch_netem`
   */
  async slow(delayMs: number | null, kbitPerSecond: number | null): Promise<void> {
    const inside = ['netns', 'exec', this.namespace, 'tc', 'qdisc'];
    const ends: [string, string[]][] = [
      ['ip', [...inside, '', 'dev', 'host0', 'root']],
      ['tc', ['qdisc', '', 'dev', this.#device, 'root']],
    ];
    for (const [program, args] of ends) {
      const at = args.indexOf('');
      const say = (verb: string, ...more: string[]) => [...args.slice(0, at), verb, ...args.slice(at + 1), ...more];
      await attempt(program, say('delete'));
      if (delayMs !== null) {
        const rate = kbitPerSecond === null ? [] : ['rate', `${kbitPerSecond}kbit`];
        const { code, stderr } = await attempt(program, say('add', 'netem', 'delay', `${delayMs}ms`, ...rate));
        if (code !== 0) {
          throw new Error(
            `this kernel cannot delay packets (${stderr.trim()}): load sch_netem (Ubuntu: linux-modules-extra-$(uname -r))`,
          );
        }
      } else if (kbitPerSecond !== null) {
        const limit = ['tbf', 'rate', `${kbitPerSecond}kbit`, 'burst', '16kb', 'latency', '400ms'];
        await command(program, say('add', ...limit));
      }
    }
  }
}
