/**
 * lint-imports - the lint rule that keeps imports pointing down
 *
 * Programs (packages/daemons, packages/commands) import packages/lib and Node; lib never imports a
 * program; no program imports another program; packages/testing is imported by tests and scripts only. A
 * package imports only what its package.json names, plus the development packages of the root in tests.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Rule } from 'eslint'

interface Manifest {
  readonly directory: string
  readonly name: string
  readonly packages: ReadonlySet<string>
}

const ROOT = join(import.meta.dirname, '..')
const manifests = new Map<string, Manifest>()

function readManifest(directory: string): Manifest {
  // package.json of this repository: the shape is ours
  const content = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    name: string
    dependencies?: Record<string, string>
    devDependencies?: Record<string, string>
  }
  const packages = new Set(Object.keys({ ...content.dependencies, ...content.devDependencies }))
  return { directory, name: content.name, packages }
}

function manifestOf(directory: string): Manifest {
  let at = directory
  while (!existsSync(join(at, 'package.json'))) at = dirname(at)
  const manifest = manifests.get(at) ?? readManifest(at)
  manifests.set(at, manifest)
  return manifest
}

function packageName(specifier: string): string {
  const parts = specifier.split('/')
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

export const importsPointDown: Rule.RuleModule = {
  meta: {
    type: 'problem',
    messages: {
      undeclared: '{{name}} is not among the dependencies of {{manifest}}',
      testing: '@posthorn/testing is for tests and scripts only',
      escape: 'A relative import must stay inside its package: {{specifier}}',
    },
  },
  create(context) {
    const file = context.filename
    const manifest = manifestOf(dirname(file))
    const isTest = /\.test\.ts$|\/test\/|\/(packages\/testing|scripts)\//.test(file)
    const mayImport = (name: string): boolean =>
      manifest.packages.has(name) ||
      (isTest && (name.startsWith('@posthorn/') || manifestOf(ROOT).packages.has(name)))
    const check = (node: Rule.Node, specifier: unknown): void => {
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
      } else if (!mayImport(name)) {
        const data = { name, manifest: manifest.name }
        context.report({ node, messageId: 'undeclared', data })
      }
    }
    return {
      ImportDeclaration: (node) => {
        check(node, node.source.value)
      },
      ExportNamedDeclaration: (node) => {
        check(node, node.source?.value)
      },
      ExportAllDeclaration: (node) => {
        check(node, node.source.value)
      },
    }
  },
}
