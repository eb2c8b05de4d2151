"use strict";

// Swagger UI draws a closed padlock where a log-in is optional, as if nothing went without.
const padlockWhereNeeded = (Summary, { React }) =>
  function OperationSummary({ operationProps, ...others }) {
    const security = operationProps.get("security");
    const optional = security && security.some((way) => way.isEmpty());
    const told = optional ? operationProps.delete("security") : operationProps;
    return React.createElement(Summary, { ...others, operationProps: told });
  };

SwaggerUIBundle({
  url: "{{ schema_url|escapejs }}",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [{ wrapComponents: { OperationSummary: padlockWhereNeeded } }],
  layout: "BaseLayout",
  // A token pasted without the word before it gets the word.
  requestInterceptor(request) {
    const given = (request.headers.Authorization || "").trim();
    if (given && !given.includes(" ")) request.headers.Authorization = `Token ${given}`;
    return request;
  },
  ...{{ settings|safe }},
});
