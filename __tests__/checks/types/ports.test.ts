import { describe, expect, it } from '@jest/globals';
import { observe, refused } from '../answers';
import { checkOf, context, probe } from '../doubles';

const listening = [
  'LISTEN 0      128          0.0.0.0:22         0.0.0.0:*',
  'LISTEN 0      128             [::]:22            [::]:*',
  'LISTEN 0      4096   127.0.0.53%lo:53         0.0.0.0:*',
  'LISTEN 0      244        127.0.0.1:5432       0.0.0.0:*',
  'LISTEN 0      244            [::1]:5432          [::]:*',
  'LISTEN 0      50   [::ffff:127.0.0.1]:8005          *:*',
  'LISTEN 0      511                *:8080             *:*',
].join('\n');
const ports = { type: 'ports' };

it('passes: open, closed, reached by the host only', async () => {
  const entry = { ...ports, open: [22, 8080], closed: [23], 'local-only': [53, 5432, 8005] };
  expect(await observe(entry, [listening])).toMatchObject({
    verdict: 'pass',
    found:
      '0.0.0.0:22 and [::]:22, *:8080, 127.0.0.53%lo:53, 127.0.0.1:5432 and [::1]:5432, [::ffff:127.0.0.1]:8005, nobody on 23',
  });
});

describe('fails', () => {
  it.each([
    [{ open: [2222] }, 'nobody listening on 2222', 'See whether its service runs'],
    [{ 'local-only': [6379] }, 'nobody listening on 6379', 'See whether its service runs'],
    [{ closed: [8080] }, 'somebody listening on *:8080', "ss -nltup 'sport = :8080'"],
    [{ closed: [5432] }, 'somebody listening on 127.0.0.1:5432 and [::1]:5432', 'stop it'],
    [{ 'local-only': [8080] }, '8080 open beyond the host on *:8080', 'Bind the service to 127.0.0.1'],
  ])('%j', async (entry, found, remedy) => {
    expect(await observe({ ...ports, ...entry }, [listening])).toMatchObject({
      verdict: 'fail',
      found,
      remedy: expect.stringContaining(remedy),
    });
  });

  it('when nobody listens at all', async () => {
    expect(await observe({ ...ports, open: [22] }, [''])).toMatchObject({ verdict: 'fail' });
  });
});

it('is inconclusive without ss, or with garbage', async () => {
  await expect(observe({ ...ports, open: [22] }, [{ code: 127 }])).rejects.toThrow('ss is not installed there');
  await expect(observe({ ...ports, closed: [23] }, ['garbage'])).rejects.toThrow(
    'something else than listeners: garbage',
  );
});

describe('in a suite file', () => {
  it('says what it asks', async () => {
    expect(checkOf({ ...ports, open: [53], protocol: 'udp' }).prepare(probe(), context())).toMatchObject({
      target: '53/udp',
      expected: 'somebody listening on 53',
      reproduce: 'ss -nlp --udp',
    });
    const { asked } = await observe({ ...ports, open: [53], protocol: 'udp' }, [listening]);
    expect(asked).toEqual(['exec ss -H -n -l --udp']);
  });

  it.each([
    [{}, 'names no port, so it proves nothing'],
    [{ open: [22], closed: [22] }, 'names the port 22 twice'],
    [{ open: [70_000] }, 'open'],
    [{ open: [] }, 'open'],
    [{ open: [22], protocol: 'sctp' }, 'protocol'],
  ])('refuses %j', (entry, message) => {
    expect(refused({ ...ports, ...entry })).toThrow(message);
  });
});
