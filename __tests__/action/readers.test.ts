import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  booleanInput,
  choiceInput,
  durationInput,
  integerInput,
  jsonMapInput,
  linesInput,
  optionalSecret,
  optionalString,
  requiredSecret,
  requiredString,
} from '../../shared/action/readers';
import { forgetSecrets, maskSecrets } from '../../shared/action/secrets';
import { SafeguardError } from '../../shared/errors';

const given: string[] = [];

function give(name: string, value: string): void {
  const variable = `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`;
  given.push(variable);
  process.env[variable] = value;
}

function failureOf(read: () => unknown): SafeguardError {
  try {
    read();
  } catch (error) {
    if (error instanceof SafeguardError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

afterEach(() => {
  for (const variable of given.splice(0)) delete process.env[variable];
  forgetSecrets();
  jest.restoreAllMocks();
});

describe('texts', () => {
  it('keeps hyphens in the name of the variable, and trims', () => {
    give('check-mode', '  yes \n');
    expect(process.env['INPUT_CHECK-MODE']).toBe('  yes \n');
    expect(requiredString('check-mode')).toBe('yes');
  });

  it.each(['', '   \n'])('takes %j for not given', (value) => {
    give('version', value);
    expect(optionalString('version')).toBeNull();
    const failure = failureOf(() => requiredString('version'));
    expect(failure.message).toContain('`version` is required');
    expect(failure).toMatchObject({ fault: 'configuration', code: 'input-missing' });
    expect(failure.remedy).toContain('`with:`');
  });

  it('reads lines without empty ones, whatever ends them', () => {
    give('labels', 'a\r\n\n  b \n\n');
    expect(linesInput('labels')).toEqual(['a', 'b']);
  });
});

describe('secrets', () => {
  it('masks the value and each line of it from the moment of reading, but not the armour of a key', () => {
    const written = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAAB3Nza\nC1lZDI1\n-----END OPENSSH PRIVATE KEY-----';
    give('ssh-private-key', `${key}\n`);
    expect(requiredSecret('ssh-private-key')).toBe(key);
    expect(maskSecrets('it said: C1lZDI1!')).toBe('it said: ***!');
    expect(maskSecrets('-----BEGIN OPENSSH PRIVATE KEY-----')).toContain('BEGIN');
    expect(written.mock.calls.map(([line]) => String(line))).toContainEqual(
      expect.stringContaining('::add-mask::C1lZDI1'),
    );
  });

  it('says which secret is missing', () => {
    expect(optionalSecret('github-token')).toBeNull();
    expect(failureOf(() => requiredSecret('github-token')).message).toContain('`github-token`');
  });
});

describe('booleans', () => {
  it.each([
    ['true', true],
    ['True', true],
    ['TRUE', true],
    ['false', false],
    ['False', false],
    ['FALSE', false],
  ])('reads %s', (text, value) => {
    give('check-mode', text);
    expect(booleanInput('check-mode', !value)).toBe(value);
  });

  it.each(['yes', 'no', 'on', '1', '0', 'tRUE', "'true'"])(
    'refuses %s, naming the input, the value and what is allowed',
    (text) => {
      give('check-mode', text);
      const { message, code } = failureOf(() => booleanInput('check-mode', false));
      expect(message).toContain('`check-mode`');
      expect(message).toContain(`\`${text}\``);
      expect(message).toContain('`true` and `false`');
      expect(code).toBe('input-invalid');
    },
  );

  it('falls back when not given', () => {
    expect(booleanInput('forensics', true)).toBe(true);
  });
});

describe('numbers', () => {
  it('reads whole numbers within the bounds', () => {
    give('attempts', '007');
    expect(integerInput('attempts', { min: 1, max: 10 })).toBe(7);
  });

  it.each(['0', '11', '-1', '1.5', '1e1', '0x1', '١', 'three', '99999999999999999999'])('refuses %s', (text) => {
    give('attempts', text);
    expect(failureOf(() => integerInput('attempts', { min: 1, max: 10 })).message).toContain('from 1 to 10');
  });

  it.each([
    ['120', 120],
    ['120s', 120],
    ['2m', 120],
    ['1h', 3600],
    ['2 m', 120],
  ])('reads the duration %s', (text, seconds) => {
    give('deadline', text);
    expect(durationInput('deadline', { min: 1, max: 3600 })).toBe(seconds);
  });

  it.each(['2 minutes', 'm', '-1s', '1.5m', '61m', '0', '2m30s'])('refuses the duration %s', (text) => {
    give('deadline', text);
    const { message } = failureOf(() => durationInput('deadline', { min: 1, max: 3600 }));
    expect(message).toContain(`\`deadline\` is \`${text}\``);
    expect(message).toContain('`120s`');
  });

  it('uses the fallback, and without one the input is required', () => {
    expect(durationInput('deadline', { min: 1, max: 3600, fallback: 120 })).toBe(120);
    expect(failureOf(() => durationInput('deadline', { min: 1, max: 3600 })).code).toBe('input-missing');
    expect(failureOf(() => integerInput('attempts', { min: 1, max: 3 })).code).toBe('input-missing');
  });
});

describe('choices and maps', () => {
  it('takes an allowed word and names all of them otherwise', () => {
    give('role', 'primary');
    expect(choiceInput('role', ['primary', 'secondary'])).toBe('primary');
    give('role', 'Primary');
    expect(failureOf(() => choiceInput('role', ['primary', 'secondary'])).message).toContain('`primary`, `secondary`');
  });

  it('reads a map of texts', () => {
    give('artifacts', '{"backend": "b.tar.gz"}');
    expect(jsonMapInput('artifacts')).toEqual({ backend: 'b.tar.gz' });
    expect(jsonMapInput('other')).toBeNull();
  });

  it.each(['[]', '"x"', 'null', '{"a": 1}', '{a: b}', '{'])('refuses %s as a map', (text) => {
    give('artifacts', text);
    expect(failureOf(() => jsonMapInput('artifacts')).message).toContain(`\`artifacts\` is \`${text}\``);
  });

  it('quotes a huge value in one short line', () => {
    give('artifacts', `{\n${'x'.repeat(100_000)}`);
    const { message } = failureOf(() => jsonMapInput('artifacts'));
    expect(message.length).toBeLessThan(400);
    expect(message).not.toContain('\n');
  });
});
