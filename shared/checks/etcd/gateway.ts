import * as z from 'zod';
import { SafeguardError } from '../../errors';
import type { HttpQuestion } from '../http-request';
import { askHttp } from '../http-request';
import { askJson } from '../json-answer';

/** Ids and sizes are 64 bits wide: the gateway writes them as texts, and leaves out those that are zero. */
const uint64 = z.string().regex(/^\d{1,20}$/);

const healthSchema = z.object({
  health: z.union([z.boolean(), z.enum(['true', 'false'])]),
  reason: z.string().optional(),
});

const statusSchema = z.object({
  header: z.object({ cluster_id: uint64, member_id: uint64 }),
  version: z.string().optional(),
  dbSize: uint64.default('0'),
  dbSizeQuota: uint64.optional(),
  leader: uint64.default('0'),
  errors: z.array(z.string()).default([]),
});

const memberListSchema = z.object({
  members: z
    .array(z.object({ ID: uint64, name: z.string().default(''), isLearner: z.boolean().default(false) }))
    .default([]),
});

/** What one member says about itself and about the cluster. */
export interface EtcdView {
  clusterId: string;
  memberId: string;
  /** Id of the leader that it follows, `0` for none. */
  leader: string;
  healthy: boolean;
  /** Why it is not healthy, where it says so. */
  reason: string | null;
  /** What it reports as wrong: alarms, a missing leader. */
  errors: string[];
  members: EtcdMember[];
  databaseBytes: number;
  /** Null where it does not tell, or has none. */
  quotaBytes: number | null;
}

export interface EtcdMember {
  id: string;
  /** Empty until it has started for the first time. */
  name: string;
  isLearner: boolean;
}

export interface EtcdQuestion {
  /** `http://10.0.0.1:2379` */
  origin: string;
  tls?: HttpQuestion['tls'];
  /** Where the cluster asks for users. */
  login: { name: string; password: string } | null;
  signal: AbortSignal;
}

/**
 * Asks one member through its HTTP gateway, https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/. Only reads, and only
 * from this member: nothing of it needs a quorum, except that `/health` says whether there is one.
 *
 * @throws NoHttpAnswer
 * @throws SafeguardError `answer-not-data`
 */
export async function askEtcd(question: EtcdQuestion): Promise<EtcdView> {
  const headers = await authorization(question);
  const url = (path: string) => new URL(path, question.origin);
  const common = { headers, signal: question.signal, ...(question.tls === undefined ? {} : { tls: question.tls }) };
  const call = <Schema extends z.ZodType>(path: string, schema: Schema) =>
    askJson({ ...common, url: url(path), method: 'POST', body: '{}' }, [200], schema);
  const [health, status, list] = await Promise.all([
    askJson({ ...common, url: url('/health') }, [200, 503], healthSchema),
    call('/v3/maintenance/status', statusSchema),
    call('/v3/cluster/member/list', memberListSchema),
  ]);
  const { header, leader, errors, dbSize, dbSizeQuota } = status.body;
  const quota = dbSizeQuota ?? (await quotaFromMetrics({ ...common, url: url('/metrics') }));
  return {
    clusterId: header.cluster_id,
    memberId: header.member_id,
    leader,
    healthy: health.status === 200 && String(health.body.health) === 'true',
    reason: health.body.reason ?? null,
    errors,
    members: list.body.members.map(({ ID, name, isLearner }) => ({ id: ID, name, isLearner })),
    databaseBytes: Number(dbSize),
    quotaBytes: quota === null || Number(quota) <= 0 ? null : Number(quota),
  };
}

const tokenSchema = z.object({ token: z.string().default(''), error: z.string().default('no token') });

async function authorization({ origin, login, signal, tls }: EtcdQuestion): Promise<Record<string, string>> {
  if (login === null) return {};
  const question = {
    url: new URL('/v3/auth/authenticate', origin),
    method: 'POST',
    body: JSON.stringify(login),
    signal,
    ...(tls === undefined ? {} : { tls }),
  };
  const { status, body } = await askJson(question, [200, 400, 401], tokenSchema);
  if (status === 200 && body.token !== '') return { authorization: body.token };
  throw new SafeguardError(`no data: ${question.url.host} refused the user ${login.name}: ${body.error}`, {
    fault: 'configuration',
    code: 'login-refused',
    remedy: 'See whether user and password are right, and whether authentication is on: etcdctl auth status.',
  });
}

const metricsBytes = 4 * 1024 * 1024;

/** Until etcd 3.6 the quota is only told among the metrics, which some clusters serve elsewhere. */
async function quotaFromMetrics(
  question: Pick<HttpQuestion, 'url' | 'headers' | 'signal' | 'tls'>,
): Promise<string | null> {
  const answer = await askHttp({ ...question, method: 'GET', body: null, maxBytes: metricsBytes });
  return /^etcd_server_quota_backend_bytes ([0-9.e+]+)$/m.exec(answer.body)?.[1] ?? null;
}
