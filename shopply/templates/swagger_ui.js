"use strict";

SwaggerUIBundle({
  url: "{{ schema_url|escapejs }}",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  // A token pasted without the word before it gets the word.
  requestInterceptor(request) {
    const given = (request.headers.Authorization || "").trim();
    if (given && !given.includes(" ")) request.headers.Authorization = `Token ${given}`;
    return request;
  },
  ...{{ settings|safe }},
});
