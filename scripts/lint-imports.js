/**
 * lint-imports - the lint rule that keeps imports pointing down
 *
 * Programs (packages/daemons, packages/commands) import packages/lib and Node; lib never imports a
 * program; no program imports another program; packages/testing is imported by tests only. A package
 * imports only what its package.json names, plus the development packages of the root in tests.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const manifests = new Map()

/** @param {string} directory */
function manifestOf(directory) {
  let at = directory
  for (;;) {
    const cached = manifests.get(at)
    if (cached !== undefined) return cached
    const file = join(at, 'package.json')
    if (existsSync(file)) {
      const manifest = { directory: at, ...JSON.parse(readFileSync(file, 'utf8')) }
      manifests.set(at, manifest)
      return manifest
    }
    at = dirname(at)
  }
}

/** @param {string} specifier */
function packageName(specifier) {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]
}

export const importsPointDown = {
  meta: {
    type: 'problem',
    messages: {
      undeclared: '{{name}} is not among the dependencies of {{manifest}}',
      testing: '@posthorn/testing is for tests only',
      escape: 'A relative import must stay inside its package: {{specifier}}',
    },
  },
  create(context) {
    const file = context.filename
    const manifest = manifestOf(dirname(file))
    const isTest = /\.test\.ts$|\/(packages\/testing|test|scripts)\//.test(file)
    const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }))
    const root = isTest ? manifestOf(join(import.meta.dirname, '..')) : undefined
    for (const name of Object.keys(root?.devDependencies ?? {})) declared.add(name)
    const check = (node) => {
      const specifier = node.source?.value
      if (typeof specifier !== 'string' || specifier.startsWith('node:')) return
      if (specifier.startsWith('.')) {
        const target = join(dirname(file), specifier)
        if (!target.startsWith(`${manifest.directory}/`)) {
          context.report({ node, messageId: 'escape', data: { specifier } })
        }
        return
      }
      const name = packageName(specifier)
      if (name === '@posthorn/testing' && !isTest) {
        context.report({ node, messageId: 'testing' })
      } else if (!declared.has(name) && manifest.name !== 'posthorn' && !isTest) {
        const data = { name, manifest: manifest.name }
        context.report({ node, messageId: 'undeclared', data })
      }
    }
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    }
  },
}
