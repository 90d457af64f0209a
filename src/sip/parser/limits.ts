// Limits of the parser's span table. Fixed at build time, because the table is a fixed array;
// a message beyond a limit is refused with the limit's own error code, never cut short in silence.

/** Header rows in one message. */
export const HEADERS_MAX = 128;
/** Via values in one message, all rows together. */
export const VIAS_MAX = 70;
/** Contact values in one request, all rows together. */
export const CONTACTS_MAX = 32;
/** Parameters of one value (Via, To, From, Contact), and parameters or headers of one URI. */
export const PARAMS_PER_VALUE_MAX = 32;
/** Contact parameters in one request, all values together. */
export const CONTACT_PARAMS_MAX = 256;
