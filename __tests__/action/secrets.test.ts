import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createLog } from '../../shared/action/log';
import { setOutputs } from '../../shared/action/outputs';
import { containsSecret, forgetSecrets, maskDeep, maskSecrets, registerSecrets } from '../../shared/action/secrets';
import type { Log } from '../../shared/ports';

let written: string[];

beforeEach(() => {
  written = [];
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
});

afterEach(() => {
  forgetSecrets();
  jest.restoreAllMocks();
});

describe('masking', () => {
  it('leaves text alone as long as nothing is registered', () => {
    expect(maskSecrets('nothing *** here')).toBe('nothing *** here');
  });

  it('ignores values of less than four characters', () => {
    registerSecrets(['abc', '', null, undefined, 'abcd']);
    expect(maskSecrets('abc abcd')).toBe('abc ***');
  });

  it('masks the longer of two secrets first', () => {
    registerSecrets(['token', 'token-with-more']);
    expect(maskSecrets('token-with-more')).toBe('***');
  });

  it('masks encodings that tools print', () => {
    const secret = 'p@ss "word"/1';
    registerSecrets([secret]);
    for (const form of [encodeURIComponent(secret), Buffer.from(secret).toString('base64'), JSON.stringify(secret)]) {
      expect(maskSecrets(`x=${form}`)).toContain('***');
      expect(containsSecret(form)).toBe(true);
    }
  });

  it('masks strings and keys at any depth and leaves the rest', () => {
    registerSecrets(['canary-secret']);
    expect(maskDeep({ a: ['x canary-secret', 1, null, true], 'canary-secret': { b: 'fine' } })).toEqual({
      a: ['x ***', 1, null, true],
      '***': { b: 'fine' },
    });
  });
});

describe('the log', () => {
  it('masks every level', () => {
    registerSecrets(['canary-secret']);
    written = [];
    const log = createLog();
    log.debug('1 canary-secret');
    log.info('2 canary-secret');
    log.warning('3 canary-secret');
    log.error('4 canary-secret');
    expect(written.join('')).not.toContain('canary-secret');
    expect(written.join('').match(/\*\*\*/g)).toHaveLength(4);
  });

  it('disarms commands in foreign text', () => {
    createLog().info('fine\n::add-mask::e\n##[error]boo');
    expect(written.join('')).not.toMatch(/^::|##\[/m);
  });

  it('keeps the last of ten annotations free, and loses no line', () => {
    const log = createLog();
    for (let number = 1; number <= 12; number += 1) log.warning(`line ${number}`);
    const text = written.join('');
    expect(text.match(/^::warning/gm)).toHaveLength(9);
    expect(text).toContain('Warning: line 12');
  });
});

describe('outputs', () => {
  function recordingLog(): Log & { warnings: string[] } {
    const warnings: string[] = [];
    return { warnings, debug: () => {}, info: () => {}, warning: (line) => warnings.push(line), error: () => {} };
  }

  it('leaves out a value with a secret, with a warning that does not show it', () => {
    registerSecrets(['canary-secret']);
    written = [];
    const log = recordingLog();
    setOutputs({ outcome: 'deployed', leak: 'a canary-secret b' }, log);
    expect(written.join('')).toContain('deployed');
    expect(written.join('')).not.toContain('canary-secret');
    expect(log.warnings).toEqual([expect.stringContaining('`leak`')]);
    expect(log.warnings.join()).not.toContain('canary-secret');
  });

  it('writes null as empty, and objects as JSON with secrets masked', () => {
    registerSecrets(['canary-secret']);
    written = [];
    setOutputs({ failure: { message: 'canary-secret' }, none: null, count: 0, fine: false }, recordingLog());
    const text = written.join('');
    expect(text).toContain('{"message":"***"}');
    expect(text).toMatch(/name=none::\n/);
    expect(text).toMatch(/name=count::0\n/);
    expect(text).toMatch(/name=fine::false\n/);
  });

  it('says that an output could not be written, and why', () => {
    process.env['GITHUB_OUTPUT'] = '/no/such/file';
    try {
      expect(() => setOutputs({ outcome: 'deployed' }, recordingLog())).toThrow(
        /`outcome` could not be written: .*\/no\/such\/file/,
      );
    } finally {
      delete process.env['GITHUB_OUTPUT'];
    }
  });
});
