import type { ReactNode } from 'react'
import { Checkbox as AriaCheckbox } from 'react-aria-components/Checkbox'
import { FieldError } from 'react-aria-components/FieldError'
import { Input } from 'react-aria-components/Input'
import { Label } from 'react-aria-components/Label'
import { Text } from 'react-aria-components/Text'
import { TextArea } from 'react-aria-components/TextArea'
import { TextField as AriaTextField, type TextFieldProps as AriaTextFieldProps } from 'react-aria-components/TextField'

interface TextFieldProps extends Omit<AriaTextFieldProps, 'className' | 'children'> {
  label: string
  hint?: ReactNode
  error?: string | undefined
  placeholder?: string
  rows?: number // more than one: several lines
  mono?: boolean
}

export function TextField({ label, hint, error, placeholder, rows, mono, ...props }: TextFieldProps) {
  const look = `input${mono ? ' mono' : ''}`
  return (
    <AriaTextField {...props} isInvalid={error !== undefined} validationBehavior="aria" className="field">
      <Label>{label}</Label>
      {rows ? (
        <TextArea className={look} rows={rows} placeholder={placeholder} spellCheck={false} />
      ) : (
        <Input className={look} placeholder={placeholder} spellCheck={false} />
      )}
      {hint && (
        <Text slot="description" className="hint">
          {hint}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
    </AriaTextField>
  )
}

interface SelectProps {
  label: string
  value: string
  onChange: (value: string) => void
  options: readonly (readonly [value: string, text: string])[]
  hint?: ReactNode
  compact?: boolean // the label is for screen readers only
}

// The browser's own list: works with every keyboard, screen reader and phone.
export function Select({ label, value, onChange, options, hint, compact }: SelectProps) {
  return (
    <label className={compact ? 'field compact' : 'field'}>
      <span className={compact ? 'unseen' : 'label'}>{label}</span>
      <select className="input" value={value} onChange={event => onChange(event.target.value)}>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
      {hint && <span className="hint">{hint}</span>}
    </label>
  )
}

interface CheckboxProps {
  isSelected: boolean
  isIndeterminate?: boolean
  onChange: (selected: boolean) => void
  children: ReactNode
  hint?: string
}

export function Checkbox({ children, hint, ...props }: CheckboxProps) {
  return (
    <div>
      <AriaCheckbox {...props} className="checkbox">
        {({ isSelected, isIndeterminate }) => (
          <>
            <span className="box" aria-hidden="true">
              <svg viewBox="0 0 16 16">
                {isIndeterminate ? <path d="M4 8h8" /> : isSelected && <path d="M3.500 8.500 6.500 11.500 12.500 4.800" />}
              </svg>
            </span>
            <span>{children}</span>
          </>
        )}
      </AriaCheckbox>
      {hint && <p className="hint under-checkbox">{hint}</p>}
    </div>
  )
}

export function DateField({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  return (
    <label className="field">
      <span className="label">{label}</span>
      <input className="input" type="datetime-local" value={value} onChange={event => onChange(event.target.value)} />
    </label>
  )
}
