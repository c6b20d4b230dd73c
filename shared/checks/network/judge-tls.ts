import type { Problem } from '../problems';
import { counted, said } from '../words';
import type { Handshake } from './handshake';

const dayMs = 24 * 60 * 60 * 1000;

export interface TlsExpectation {
  /** Name that the certificate must be for. */
  serverName: string;
  /** Days of validity that must be left, at least; with less it fails. */
  failDays: number;
  /** With less it warns. */
  warnDays: number;
}

/** What one handshake shows. `now`: by the clock of the runner. */
export function judgeHandshake(shown: Handshake, now: Date, expect: TlsExpectation): Problem[] {
  return [...judgeChain(shown, now), ...judgeName(shown, expect), ...judgeDates(shown, now, expect)];
}

/** Reasons that the dates tell better. */
const ofDates = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];

function judgeChain({ untrusted, subject, issuer, validFrom, validTo }: Handshake, now: Date): Problem[] {
  if (untrusted === null || untrusted === 'ERR_TLS_CERT_ALTNAME_INVALID') return [];
  const outOfDate = ofDates.includes(untrusted);
  // Another certificate of the chain may be out of date, and then the dates of this one tell nothing.
  if (outOfDate && (now >= validTo || now < validFrom)) return [];
  const chain = outOfDate ? 'a certificate of its chain is out of date' : reasonOf(untrusted);
  return [
    {
      verdict: 'fail',
      found: `an untrusted certificate of ${said(subject)}, issued by ${said(issuer)}: ${chain} (${untrusted})`,
      remedy:
        'Install the certificate with its whole chain on the server; for an authority of your own, give its PEM file as ca.',
    },
  ];
}

/** https://docs.openssl.org/3.0/man1/openssl-verification-options/#verification-options */
function reasonOf(code: string): string {
  if (/SELF_SIGNED|DEPTH_ZERO/.test(code)) return 'it is signed by itself or by an unknown authority';
  if (/UNABLE_TO/.test(code))
    return 'its authority is unknown, or the server does not send the certificates in between';
  return 'its chain cannot be verified';
}

function judgeName({ misnamed, subject }: Handshake, { serverName }: TlsExpectation): Problem[] {
  if (misnamed === null) return [];
  return [
    {
      verdict: 'fail',
      found: `a certificate of ${said(subject)} that is not for ${serverName}: ${misnamed}`,
      remedy: 'Install a certificate for this name, or give the right one as server-name.',
    },
  ];
}

function judgeDates({ validFrom, validTo }: Handshake, now: Date, expect: TlsExpectation): Problem[] {
  if (now < validFrom) {
    return [
      {
        verdict: 'fail',
        found: `a certificate that is only valid from ${validFrom.toISOString()}`,
        remedy: 'Compare the clock of the runner with the real time, or install a certificate that is valid already.',
      },
    ];
  }
  const left = (validTo.getTime() - now.getTime()) / dayMs;
  if (left <= 0) {
    return [
      {
        verdict: 'fail',
        found: `a certificate that expired ${counted(Math.floor(-left), 'day')} ago, on ${validTo.toISOString()}`,
        remedy: renew,
      },
    ];
  }
  if (left > expect.warnDays && left > expect.failDays) return [];
  return [
    {
      verdict: left > expect.failDays ? 'warn' : 'fail',
      found: `a certificate that expires in ${counted(Math.floor(left), 'day')}, on ${validTo.toISOString()}`,
      remedy: renew,
    },
  ];
}

const renew =
  'Renew the certificate and reload the service; if it renews by itself, see why it has not, for example with certbot renew --dry-run.';
