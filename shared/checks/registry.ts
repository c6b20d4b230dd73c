import * as z from 'zod';
import { SafeguardError } from '../errors';
import type { Environment } from '../manifest/environment';
import type { Check } from './check';
import { type CheckType, type CommonSpec, createCheck } from './check-type';
import { ansibleCheck } from './types/ansible';
import { backupCheck } from './types/backup';
import { clockCheck } from './types/clock';
import { commandCheck } from './types/command';
import { composeCheck } from './types/compose';
import { consistencyCheck } from './types/consistency';
import { diskCheck } from './types/disk';
import { dnsCheck } from './types/dns';
import { etcdCheck } from './types/etcd';
import { fileCheck } from './types/file';
import { flywayCheck } from './types/flyway';
import { grafanaCheck } from './types/grafana';
import { haproxyCheck } from './types/haproxy';
import { httpCheck } from './types/http';
import { loadCheck } from './types/load';
import { memoryCheck } from './types/memory';
import { packagesCheck } from './types/packages';
import { patroniCheck } from './types/patroni';
import { performanceCheck } from './types/performance';
import { pgbouncerCheck } from './types/pgbouncer';
import { pm2Check } from './types/pm2';
import { portsCheck } from './types/ports';
import { postgresCheck } from './types/postgres';
import { postgresArchiverCheck } from './types/postgres-archiver';
import { postgresQueryCheck } from './types/postgres-query';
import { postgresReplicationCheck } from './types/postgres-replication';
import { postgresSecurityCheck } from './types/postgres-security';
import { prismaCheck } from './types/prisma';
import { prometheusCheck } from './types/prometheus';
import { promqlCheck } from './types/promql';
import { redisCheck } from './types/redis';
import { redisClusterCheck } from './types/redis-cluster';
import { redisSentinelCheck } from './types/redis-sentinel';
import { restoreProofCheck } from './types/restore-proof';
import { runnersCheck } from './types/runners';
import { secretsCheck } from './types/secrets';
import { serviceCheck } from './types/service';
import { sshCheck } from './types/ssh';
import { swarmCheck } from './types/swarm';
import { systemdCheck } from './types/systemd';
import { tcpCheck } from './types/tcp';
import { terraformCheck } from './types/terraform';
import { tlsCheck } from './types/tls';
import { versionCheck } from './types/version';
import { websocketCheck } from './types/websocket';

/** Every type of check; a new one is a file under types/ and a line here. */
const types = [
  serviceCheck, //
  httpCheck,
  commandCheck,
  etcdCheck,
  patroniCheck,
  haproxyCheck,
  pgbouncerCheck,
  systemdCheck,
  pm2Check,
  swarmCheck,
  composeCheck,
  redisCheck,
  postgresCheck,
  redisClusterCheck,
  redisSentinelCheck,
  versionCheck,
  prometheusCheck,
  promqlCheck,
  grafanaCheck,
  postgresQueryCheck,
  postgresReplicationCheck,
  postgresArchiverCheck,
  postgresSecurityCheck,
  flywayCheck,
  prismaCheck,
  tcpCheck,
  dnsCheck,
  tlsCheck,
  diskCheck,
  memoryCheck,
  loadCheck,
  clockCheck,
  portsCheck,
  sshCheck,
  packagesCheck,
  fileCheck,
  websocketCheck,
  consistencyCheck,
  runnersCheck,
  secretsCheck,
  terraformCheck,
  ansibleCheck,
  backupCheck,
  restoreProofCheck,
  performanceCheck,
] as readonly CheckType<never>[];

/** Names of all types. */
export const typeNames: readonly string[] = types.map(({ type }) => type);

/** One entry of a suite file, of any of these types. */
export function checkSchema(names: readonly string[]) {
  const [first, ...others] = types.filter(({ type }) => names.includes(type)).map(({ schema }) => schema());
  return z.discriminatedUnion('type', [first as z.ZodObject, ...others]);
}

/**
 * The check that an entry of a suite file describes.
 *
 * @param entry what `checkSchema` made of it
 * @throws SafeguardError `suite-invalid` when it does not fit the environment.
 */
export function checkFrom(entry: z.output<ReturnType<typeof checkSchema>>, environment: Environment): Check {
  const type = types.find((candidate) => candidate.type === entry['type']);
  if (type === undefined) {
    throw new SafeguardError(`There is no check type ${String(entry['type'])}.`, {
      fault: 'internal',
      code: 'check-type',
    });
  }
  // The schema that accepted the entry is the one of this very type.
  return createCheck(type as CheckType<CommonSpec>, entry as CommonSpec & typeof entry, environment);
}
