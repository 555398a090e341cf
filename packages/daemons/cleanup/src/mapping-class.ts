/** mapping-class - which kind of address is being mapped: the words of canonical_classes and masquerade_classes */
export const CLEANUP_MAPPING_CLASSES = [
  'envelope_sender',
  'envelope_recipient',
  'header_sender',
  'header_recipient',
] as const

export type MappingClass = (typeof CLEANUP_MAPPING_CLASSES)[number]
