const base = require('./jest.config.js');

/** Tests on whole machines: namespaces, systemd, power cuts. They need root and some Debian packages, so they run apart. */
/** @type {import('jest').Config} */
module.exports = {
  ...base,
  testMatch: ['<rootDir>/__tests__/system/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 120000,
  maxWorkers: 2,
};
