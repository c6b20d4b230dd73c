import { describe, expect, it } from '@jest/globals';
import { resolveArtifacts } from '../../shared/artifacts/resolve';
import { parseManifest, selectEnvironment } from '../../shared/manifest/load';
import { manifestText, refusal } from '../manifest/text';

const components = `{ api: { root: /opt/api, artifact: "build/api-\${version}.tar.gz" },
      web: { root: /opt/web, artifact: "build/web/\${version}" } }`;
const environment = selectEnvironment(parseManifest(manifestText({ components }), 'm.yml'), 'staging');
const paths = (override?: string) =>
  resolveArtifacts(environment, '1.2', { base: '/work', ...(override !== undefined && { override }) }).map(
    ({ component, path }) => `${component} ${path}`,
  );

describe('resolveArtifacts', () => {
  it.each([undefined, '', '  \n'])('takes the paths of the manifest when the input is %j', (override) => {
    expect(paths(override)).toEqual(['api /work/build/api-1.2.tar.gz', 'web /work/build/web/1.2']);
  });

  it.each(['out', './out/', ' out\n'])('takes the folder %j in place of the one in the manifest', (override) => {
    expect(paths(override)).toEqual(['api /work/out/api-1.2.tar.gz', 'web /work/out/1.2']);
  });

  it.each([
    `{"api": "x/\${version}.tar", "web": "/abs/web"}`,
    `api: x/\${version}.tar\nweb: /abs/web\n`,
    `{ api: "x/\${version}.tar", web: /abs/web }`,
  ])('takes the map %j', (override) => {
    expect(paths(override)).toEqual(['api /work/x/1.2.tar', 'web /abs/web']);
  });

  it('leaves the components that a map does not name to the manifest', () => {
    expect(paths('web: out')).toEqual(['api /work/build/api-1.2.tar.gz', 'web /work/out']);
  });

  it.each([
    ['{"wbe": "x"}', 'artifacts-invalid', 'unknown key "wbe" (did you mean "web"?)'],
    ['{"web": 5}', 'artifacts-invalid', 'expected text, found the number 5'],
    ['{"web": ""}', 'artifacts-invalid', 'must not be empty'],
    ['{"web": ', 'artifacts-invalid', 'not valid YAML'],
    [`web: \${vers}`, 'placeholder-unknown', 'unknown placeholder'],
  ])('refuses %j', (override, code, message) => {
    expect(refusal(() => paths(override))).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('refuses a wrong version', () => {
    expect(refusal(() => resolveArtifacts(environment, '../1', { base: '/' })).code).toBe('version-invalid');
  });

  it('refuses a folder that gives two components one file', () => {
    const same = `{ api: { root: /opt/api, artifact: api/app.tar }, web: { root: /opt/web, artifact: web/app.tar } }`;
    const merged = selectEnvironment(parseManifest(manifestText({ components: same }), 'm.yml'), 'staging');
    const error = refusal(() => resolveArtifacts(merged, '1', { base: '/work', override: 'out' }));
    expect(error.message).toContain('"api" and "web" the same artifact "/work/out/app.tar"');
  });
});
