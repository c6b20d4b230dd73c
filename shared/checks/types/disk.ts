import * as z from 'zod';
import { quote } from '../../host/quote';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { HostProbe } from '../context';
import { commonShape, hostSelection } from '../fields';
import { askHost } from '../hosts/ask-host';
import { diskQuestion, judgeDisks, parseDisks } from '../hosts/disk-space';
import { onEachHost } from '../hosts/on-each-host';
import { hostPath } from '../hosts/path';
import { once } from '../once';

const percentage = z.number().gt(0).max(100);

const schema = once(() =>
  z.strictObject({
    type: z.literal('disk').describe('Looks how full file systems are, on every chosen host.'),
    ...commonShape,
    ...hostSelection,
    paths: z.array(hostPath).min(1).default(['/']).describe('A path on each file system that is meant.'),
    'used-below': percentage.default(90).describe('Per cent of the bytes; at this and above it fails.'),
    'inodes-below': percentage.default(90).describe('Per cent of the inodes; at this and above it fails.'),
  }),
);
type DiskSpec = z.output<ReturnType<typeof schema>>;

export const diskCheck: CheckType<DiskSpec> = {
  type: 'disk',
  category: 'system',
  schema,
  bind: (spec, environment) => onEachHost(spec, environment, (host) => prepare(spec, host)),
};

function prepare(spec: DiskSpec, host: HostProbe): PreparedCheck {
  const { paths, 'used-below': bytesBelow, 'inodes-below': inodesBelow } = spec;
  const question = {
    command: diskQuestion(paths),
    program: 'stat',
    whereFrom: 'Install coreutils on the host.',
  };
  const words = paths.map(quote).join(' ');
  return {
    target: paths.join(', '),
    expected: `less than ${bytesBelow} % full and less than ${inodesBelow} % of the inodes used`,
    reproduce: `df -h ${words}; df -i ${words}`,
    attempt: async (attempt) => {
      const { stdout } = await askHost(host, question, attempt);
      return judgeDisks(parseDisks(host.host, stdout, paths), { bytesBelow, inodesBelow });
    },
  };
}
