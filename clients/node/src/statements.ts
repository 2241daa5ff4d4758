/** Every statement, with the functions in the given schema or where search_path finds them. */
export function statements(schema: string | undefined) {
    const at = schema === undefined ? "" : `"${schema.replaceAll('"', '""')}".`;
    const end = "expiration => $2, expires_at => pg_catalog.to_timestamp($3)";
    const save = (ust: string) => `SELECT ${at}sso_session_save(${ust}, $4, ${end}, encrypt => $5`;
    const create = `${at}sso_session_create(ust => $1, ${end}, user_id => $6, current_app => $7)`;
    return {
        /** One text, so that no type parser of the application's has a say in it. */
        load: `SELECT pg_catalog.row_to_json(s)::text AS session FROM ${at}sso_session_load($1) AS s`,
        create: `${save(create)})`,
        change: `${save("$1")}, removed => $6)`,
        replace: `${save("$1")}, replace => true)`,
        renew: `SELECT ${at}sso_session_renew($1, ${end})`,
        rotate: `SELECT ${at}sso_session_rotate($1, $2, $3)`,
        end: `SELECT ${at}sso_session_end($1)`,
    };
}
