import * as z from 'zod';
import { quote } from '../../host/quote';
import { readAuthority } from '../authority';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, optionalHosts, templated } from '../fields';
import { placeOf } from '../members';
import { shakeHands, type TlsServer } from '../network/handshake';
import { judgeHandshake, type TlsExpectation } from '../network/judge-tls';
import { isTooOld, olderVersion, tlsVersions } from '../network/old-tls';
import { noData } from '../no-data';
import { once } from '../once';
import { fill, valuesFor } from '../placeholders';
import { observationOf, type Problem } from '../problems';

const hostAddress = '$' + '{host.address}';
const days = z.number().min(0).max(3650);

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('tls')
        .describe('Looks at the certificate of a server and at the versions of TLS that it speaks.'),
      ...commonShape,
      ...optionalHosts,
      host: templated.min(1).optional().describe('Name or address. Default with each: host: the address of the host.'),
      port: z.int().min(1).max(65_535).default(443).describe('Port that speaks TLS from the first byte.'),
      'server-name': templated.min(1).optional().describe('Name that the certificate must be for. Default: host.'),
      ca: z
        .string()
        .min(1)
        .optional()
        .describe('PEM file on the runner with the authorities to trust. Default: the public ones.'),
      'fail-days': days.default(7).describe('Days of validity at or below which it fails.'),
      'warn-days': days.default(20).describe('Days of validity at or below which it warns.'),
      'min-version': z
        .enum(tlsVersions)
        .default('TLSv1.2')
        .describe('Oldest version that the server may accept; older ones must be refused.'),
    })
    .superRefine((spec, context) => {
      const perHost = spec.each === 'host';
      const issue = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path, message });
      const texts = (['host', 'server-name'] as const).flatMap((field) => {
        const text = spec[field];
        return text === undefined ? [] : [{ path: [field], text, kind: 'text' as const }];
      });
      checkPlaceholders(context, texts, perHost);
      if (spec.host === undefined && !perHost) issue(['host'], 'is required, unless the check says "each: host"');
      if (!perHost && (spec.hosts ?? spec.roles) !== undefined) {
        issue(
          [spec.hosts === undefined ? 'roles' : 'hosts'],
          'selects hosts, but the check is asked once; add "each: host"',
        );
      }
      if (spec['warn-days'] < spec['fail-days']) issue(['warn-days'], 'must not be below fail-days');
    }),
);
type TlsSpec = z.output<ReturnType<typeof schema>>;

export const tlsCheck: CheckType<TlsSpec> = {
  type: 'tls',
  category: 'system',
  schema,
  bind: (spec, environment) => ({
    hosts: spec.each === 'host' ? selectHosts(spec, environment, environment.hosts) : null,
    prepare: (host, context) => prepare(spec, host, context),
  }),
};

function prepare(spec: TlsSpec, probe: HostProbe | null, context: CheckContext): PreparedCheck {
  const values = valuesFor(probe, context);
  const host = fill(spec.host ?? hostAddress, values);
  const serverName = spec['server-name'] === undefined ? host : fill(spec['server-name'], values);
  const server = { host, port: spec.port, serverName };
  const expect = { serverName, failDays: spec['fail-days'], warnDays: spec['warn-days'] };
  return {
    target: `${placeOf(server)}${serverName === host ? '' : ` as ${serverName}`}`,
    expected: `a trusted certificate for ${serverName}, valid for more than ${expect.warnDays} days, and no version below ${spec['min-version']}`,
    reproduce: openssl(server, spec),
    attempt: async (attempt) => {
      try {
        const ca = spec.ca === undefined ? undefined : await readAuthority(spec.ca);
        return await look({ ...server, ca }, spec['min-version'], expect, context.clock.now(), attempt);
      } catch (thrown) {
        return noData(placeOf(server), thrown, attempt);
      }
    },
  };
}

async function look(
  server: TlsServer,
  minVersion: TlsSpec['min-version'],
  expect: TlsExpectation,
  now: Date,
  { signal }: Attempt,
): Promise<Observation> {
  const older = await olderVersion(server, minVersion, signal);
  const problems: Problem[] = older === null ? [] : [accepted(older, minVersion)];
  try {
    const shown = await shakeHands(server, { minVersion }, signal);
    problems.push(...judgeHandshake(shown, now, expect));
    const left = Math.floor((shown.validTo.getTime() - now.getTime()) / 86_400_000);
    return observationOf(problems, `${shown.protocol}, certificate of ${shown.issuer} valid for ${left} more days`);
  } catch (thrown) {
    if (!isTooOld(thrown)) throw thrown;
    return observationOf([tooOld(minVersion), ...problems], '');
  }
}

function accepted(older: string, minVersion: string): Problem {
  return {
    verdict: 'fail',
    found: `${older}, when the server is offered nothing newer`,
    remedy: `Configure ${minVersion} as the oldest version on the server, for example ssl_protocols in nginx.`,
  };
}

function tooOld(minVersion: string): Problem {
  return {
    verdict: 'fail',
    found: `no ${minVersion} or newer`,
    remedy: `Enable ${minVersion} on the server, or update its TLS library.`,
  };
}

function openssl({ host, port, serverName }: Omit<TlsServer, 'ca'>, spec: TlsSpec): string {
  const connect = [
    `openssl s_client -connect ${quote(placeOf({ host, port }))}`,
    `-servername ${quote(serverName)} -verify_hostname ${quote(serverName)}`,
    ...(spec.ca === undefined ? [] : [`-CAfile ${quote(spec.ca)}`]),
  ].join(' ');
  return `${connect} -verify_return_error </dev/null | openssl x509 -noout -subject -issuer -dates`;
}
