/**
 * show-templates - for postconf -t and postconf -b: the templates as a template file
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { expandTemplate } from './expand-template.ts'
import { TEMPLATE_NAMES, type Template, type Templates } from './template.ts'

/** @param isExpanded shows what goes into notices; otherwise what was read */
export function showTemplates(
  templates: Templates,
  config: MainConfig,
  isExpanded: boolean,
): string {
  return TEMPLATE_NAMES.map((name) => showTemplate(templates[name], config, isExpanded)).join('')
}

function showTemplate(template: Template, config: MainConfig, isExpanded: boolean): string {
  const text = isExpanded ? expandTemplate(template, config) : template.text
  const lines = [
    ...(isExpanded
      ? [`expanded_${template.name}_text = <<EOF`]
      : [`${template.name}_template = <<EOF`]),
    ...(isExpanded ? [] : headerLines(template)),
    ...text,
    'EOF',
    '',
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function headerLines(template: Template): string[] {
  const { charset, from, subject, postmasterSubject } = template
  return [
    `Charset: ${charset}`,
    `From: ${from}`,
    `Subject: ${subject}`,
    ...(postmasterSubject === undefined ? [] : [`Postmaster-Subject: ${postmasterSubject}`]),
    '',
  ]
}
