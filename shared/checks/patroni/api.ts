import * as z from 'zod';
import { askHttp, type HttpTls } from '../http-request';
import { askJson } from '../json-answer';

const nodeSchema = z.object({
  state: z.string(),
  role: z.string(),
  pending_restart: z.boolean().default(false),
  patroni: z.object({ version: z.string().default(''), scope: z.string().default(''), name: z.string().optional() }),
});

const clusterSchema = z.object({
  members: z.array(
    z.object({
      name: z.string(),
      role: z.string(),
      state: z.string().default(''),
      timeline: z.int().optional(),
      lag: z.union([z.number(), z.string()]).optional(),
    }),
  ),
  pause: z.boolean().default(false),
});

/** What one node says about itself. */
export interface PatroniNode {
  /** Status of `/health`. */
  health: number;
  state: string;
  role: string;
  pendingRestart: boolean;
  version: string;
  /** Name of the cluster that it belongs to. */
  scope: string;
  /** Its name in the cluster; null before Patroni tells it. */
  name: string | null;
  isLive: boolean;
  isReady: boolean;
  /** `/primary` answers 200: balancers send it writes. */
  isPrimary: boolean;
  /** The cluster as this node sees it, or why it cannot say. */
  cluster: PatroniCluster | { missing: unknown };
}

export type PatroniCluster = z.output<typeof clusterSchema>;
export type PatroniMember = PatroniCluster['members'][number];

export interface PatroniQuestion {
  /** `http://10.0.0.1:8008` */
  origin: string;
  tls?: HttpTls | undefined;
  signal: AbortSignal;
}

/**
 * Asks the REST API of one node, https://patroni.readthedocs.io/en/latest/rest_api.html. Only reads.
 *
 * @throws NoHttpAnswer
 * @throws SafeguardError `answer-not-data`
 */
export async function askPatroni({ origin, tls, signal }: PatroniQuestion): Promise<PatroniNode> {
  const question = (path: string) => ({
    url: new URL(path, origin),
    signal,
    ...(tls === undefined ? {} : { tls }),
  });
  const isOk = async (path: string) => {
    const answer = await askHttp({ ...question(path), method: 'GET', headers: {}, body: null, maxBytes: 1024 });
    return answer.status === 200;
  };
  // A node that lost its etcd still knows itself, so what it says of the cluster may be missing by itself.
  const cluster = askJson(question('/cluster'), [200], clusterSchema).then(
    ({ body }) => body,
    (missing: unknown) => ({ missing }),
  );
  const [health, isLive, isReady, isPrimary] = await Promise.all([
    askJson(question('/health'), [200, 503], nodeSchema),
    isOk('/liveness'),
    isOk('/readiness'),
    isOk('/primary'),
  ]);
  const { state, role, pending_restart: pendingRestart, patroni } = health.body;
  return {
    health: health.status,
    state,
    role,
    pendingRestart,
    version: patroni.version,
    scope: patroni.scope,
    name: patroni.name ?? null,
    isLive,
    isReady,
    isPrimary,
    cluster: await cluster,
  };
}
