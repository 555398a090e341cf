/**
 * eslint.config - the lint rules of docs/style: errors only, no warnings
 */
import js from '@eslint/js'
import n from 'eslint-plugin-n'
import prettier from 'eslint-config-prettier'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'
import { importsPointDown } from './scripts/lint-imports.ts'

export default defineConfig(
  globalIgnores(['build/', 'run/', 'out/', '.tap/', 'node_modules/']),
  [
    js.configs.recommended,
    tseslint.configs.strictTypeChecked,
    tseslint.configs.stylisticTypeChecked,
    prettier,
  ],
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    plugins: { n, posthorn: { rules: { 'imports-point-down': importsPointDown } } },
    settings: { n: { version: '>=24.0.0' } },
    rules: {
      'posthorn/imports-point-down': 'error',
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          ignoreVoid: false,
          allowForKnownSafeCalls: [{ from: 'package', name: 'test', package: '@tapjs/test' }],
        },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/promise-function-async': 'error',
      '@typescript-eslint/method-signature-style': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      'n/no-sync': ['error', { allowAtRootLevel: true }],
      'n/prefer-node-protocol': 'error',
      'n/no-process-exit': 'error',
      'no-console': 'error',
      'no-control-regex': 'off', // mail is octets: control characters are data here
      eqeqeq: 'error',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['**/*.test.ts', 'packages/testing/**', 'test/**', 'scripts/**'],
    rules: { 'n/no-sync': 'off', 'no-console': 'off', 'n/no-process-exit': 'off' },
  },
)
