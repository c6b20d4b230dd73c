const base = require('./jest.config.js');

/** Checks against the real servers that they ask: databases, caches, balancers, monitoring. They need Debian packages. */
/** @type {import('jest').Config} */
module.exports = {
  ...base,
  testMatch: ['<rootDir>/__tests__/services/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 60000,
  maxWorkers: 2,
};
