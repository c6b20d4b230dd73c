import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { forgetSecrets, registerSecrets } from '../../shared/action/secrets';
import { reportFolder, writeReport } from '../../shared/action/write-report';
import type { Report } from '../../shared/report/report';
import { buildReport } from '../support/build-report';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'report-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  forgetSecrets();
  jest.restoreAllMocks();
});

describe('writing the report', () => {
  it('writes it whole, in a folder that did not exist, and leaves nothing else behind', async () => {
    const report = buildReport();
    const path = await writeReport(report, join(folder, 'a/b'));
    expect(path).toBe(join(folder, 'a/b/deploy-run-1-attempt-1.json'));
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(report);
    expect(readdirSync(join(folder, 'a/b'))).toEqual(['deploy-run-1-attempt-1.json']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('replaces an older report of the same transaction', async () => {
    await writeReport(buildReport(), folder);
    const path = await writeReport(buildReport({ outcome: 'rolled-back' }), folder);
    expect(JSON.parse(readFileSync(path, 'utf8')).outcome).toBe('rolled-back');
  });

  it('makes a file name of whatever the names are', async () => {
    const path = await writeReport(buildReport({ action: '../x', transactionId: null }), folder);
    expect(path).toBe(join(folder, '..-x-2026-11-21T03-00-00.000Z.json'));
  });

  it('masks secrets', async () => {
    jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    registerSecrets(['canary-secret']);
    const path = await writeReport(buildReport({ warnings: ['saw canary-secret'] }), folder);
    expect(readFileSync(path, 'utf8')).not.toContain('canary-secret');
  });

  it('refuses a report that breaks its schema, and names the place', async () => {
    const report = { ...buildReport(), outcome: 'fine', surprise: 1 } as unknown as Report;
    await expect(writeReport(report, folder)).rejects.toMatchObject({
      code: 'report-invalid',
      fault: 'internal',
      message: expect.stringContaining('outcome'),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says where it could not write', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(writeReport(buildReport(), join(folder, 'file'))).rejects.toMatchObject({
      code: 'report-not-written',
      message: expect.stringContaining(join(folder, 'file')),
    });
  });

  it('goes below RUNNER_TEMP, or below the temporary folder', () => {
    expect(reportFolder({ RUNNER_TEMP: '/runner/temp' })).toBe('/runner/temp/deploy-safeguard');
    expect(reportFolder({})).toBe(join(tmpdir(), 'deploy-safeguard'));
  });
});
