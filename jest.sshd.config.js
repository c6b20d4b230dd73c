const base = require('./jest.config.js');

/** Tests against the real OpenSSH server; they need Debian's openssh-server (or the like), so they run apart. */
/** @type {import('jest').Config} */
module.exports = {
  ...base,
  testMatch: ['<rootDir>/__tests__/sshd/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  // Whole deployments with real waits in them; on a busy machine they take several times as long.
  testTimeout: 90000,
  // Most of the time goes by in leases that run out.
  maxWorkers: 2,
};
